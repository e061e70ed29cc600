/*
 * A client of the agent for collect-agent.test.ts: frames on its own standard input and output, asks what its argument
 * says and waits for ever. The test kills it.
 */
import { encodeMessage, HEARTBEAT_EVERY_MS, PROTOCOL_VERSION } from '../../src/agent/protocol.ts';
import type { Request } from '../../src/host/host.ts';

const requests = JSON.parse(process.argv[2] ?? '[]') as readonly Request[];

process.stdin.resume();
process.stdout.write(encodeMessage({ type: 'hello', hello: { protocol: PROTOCOL_VERSION, version: 'test' } }));
process.stdout.write(
  encodeMessage({
    type: 'perform',
    perform: {
      requests: requests.map((request, id) => ({ id: id + 1, request })),
      limits: { deadlineMs: 120_000, maxBytes: 1 << 20 },
    },
  }),
);
setInterval(() => process.stdout.write(encodeMessage({ type: 'heartbeat' })), HEARTBEAT_EVERY_MS);
