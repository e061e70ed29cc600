import type { ProbeJob } from '../probe/probe-request.ts';
import { prepare, probeOnce } from './prober.ts';

/*
 * Started by the node side inside a network namespace (`nsenter --net=… node prober-main.ts JOBS`): does all jobs at
 * once and writes a line of JSON for each answer. It ends when the last job has, and each has a time limit.
 */
const jobs = JSON.parse(process.argv[2] ?? '[]') as readonly ProbeJob[];

await prepare(jobs);
await Promise.all(
  jobs.map(async (job) => {
    const answer = await probeOnce(job);
    process.stdout.write(`${JSON.stringify({ id: job.id, answer })}\n`);
  }),
);
