import { describe, expect, it } from 'vitest';
import { FILE_MAX_BYTES } from '../collect/limits.ts';
import { fileReplyOfGrep, readProcFilesArgv } from './node-side-proc-files.ts';

const FORWARD = '/proc/sys/net/ipv4/ip_forward';
const SNMP = '/proc/net/snmp';
const GONE = '/proc/net/stat/nf_conntrack';
const EMPTY = '/proc/net/ip_tables_names';

describe('fileReplyOfGrep', () => {
  it('gives each file its lines, its error, or nothing', () => {
    const stdout = `${FORWARD}\u00001\n${SNMP}\u0000Ip: Forwarding\n${SNMP}\u0000Ip: 1\n`;
    const stderr = `grep: ${GONE}: No such file or directory`;
    expect(fileReplyOfGrep(stdout, stderr, [FORWARD, SNMP, GONE, EMPTY], false).files).toEqual([
      { path: FORWARD, text: '1\n' },
      { path: SNMP, text: 'Ip: Forwarding\nIp: 1\n' },
      { path: GONE, error: 'ENOENT' },
      { path: EMPTY, text: '' },
    ]);
  });

  it('tells a pattern that matched nothing, and other errors by their names', () => {
    const pattern = '/proc/sys/net/ipv4/conf/*/rp_filter';
    const stderr = `grep: ${pattern}: No such file or directory\ngrep: ${FORWARD}: Permission denied`;
    expect(fileReplyOfGrep('', stderr, [pattern, FORWARD], false).files).toEqual([
      { path: pattern, error: 'ENOENT' },
      { path: FORWARD, error: 'EACCES' },
    ]);
  });

  it('keeps colons and spaces of a line', () => {
    expect(fileReplyOfGrep(`${SNMP}\u0000a: b\u0000c: d\n`, '', [SNMP], false).files).toEqual([
      { path: SNMP, text: 'a: b\u0000c: d\n' },
    ]);
  });

  it('says what was cut, and calls nothing empty that may have been', () => {
    const files = fileReplyOfGrep(`${FORWARD}\u00001\n${SNMP}\u0000Ip: For`, '', [FORWARD, SNMP, GONE], true).files;
    expect(files).toEqual([
      { path: FORWARD, text: '1\n' },
      { path: SNMP, text: 'Ip: For\n', truncated: true },
      { path: GONE, error: 'EFBIG' },
    ]);
    const long = fileReplyOfGrep(`${SNMP}\u0000${'x'.repeat(FILE_MAX_BYTES + 1)}\n`, '', [SNMP], false).files[0];
    expect(long).toMatchObject({ truncated: true });
  });
});

describe('readProcFilesArgv', () => {
  it('passes paths as data, not as script', () => {
    expect(readProcFilesArgv([FORWARD, SNMP]).slice(2)).toEqual([
      expect.stringContaining('$1'),
      'sh',
      `${FORWARD}\n${SNMP}`,
    ]);
  });
});
