import type { Named, Tally } from './tally.ts';

/** The parts of vitest's JSON report (its JSON reporter, after Jest's) that are counted. */
interface VitestReport {
  readonly success: boolean;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

const fileOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

const firstLine = (text: string | undefined): string => text?.trim().split('\n')[0] ?? '';

/** Counts a report. A file that could not be run at all is one failure; a test left as `todo` is a skip. */
export const tallyVitest = (suite: string, report: VitestReport): Tally => {
  let passed = 0;
  const failed: Named[] = [];
  const skipped: Named[] = [];
  for (const file of report.testResults) {
    const name = fileOf(file.name);
    for (const { fullName, status, failureMessages } of file.assertionResults) {
      const id = `${name} ${fullName}`;
      if (status === 'passed') passed++;
      else if (status === 'failed') failed.push({ id, because: firstLine(failureMessages[0]) });
      else skipped.push({ id, because: status === 'todo' ? 'it is not written' : 'the test says so' });
    }
    const unexplained = file.status === 'failed' && file.assertionResults.every((each) => each.status !== 'failed');
    if (unexplained) failed.push({ id: name, because: firstLine(file.message) || 'the file could not be run' });
  }
  if (!report.success && failed.length === 0) failed.push({ id: '*', because: 'vitest calls the run a failure' });
  return { suite, passed, failed, skipped };
};
