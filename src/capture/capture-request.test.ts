import { describe, expect, test } from 'vitest';
import { captureArgv, captureJobOf, nothingDropped, startRequest } from './capture-request.ts';

const POINT = {
  place: { node: 'w1', namespace: 'host' },
  device: 'flannel.1',
  tuples: [{ protocol: 'tcp', source: '10.244.0.4', destination: '10.244.1.4', destinationPort: 8080 }],
} as const;
const { args } = startRequest(POINT, 'capture-1-0', { seconds: 30, packets: 1000 });

describe('a capture as it is asked of a node', () => {
  test('what is asked is what tcpdump is run with: never promiscuous, bounded, the filter as one word behind --', () => {
    const argv = captureArgv(captureJobOf(args));
    expect(argv).toContain('-p');
    expect(argv.slice(0, 3)).toEqual(['tcpdump', '-i', 'flannel.1']);
    expect(argv[argv.indexOf('-c') + 1]).toBe('1000');
    expect(argv.slice(-2)).toEqual(['--', args['filter']]);
  });

  test.each([
    ['an option for a device', { ...args, device: '-w/etc/passwd' }],
    ['a path for a device', { ...args, device: '../x' }],
    ['a device longer than the kernel has', { ...args, device: 'abcdefghijklmnop' }],
    ['a filter with a quote', { ...args, filter: 'host 10.0.0.1"' }],
    ['no filter: everything', { ...args, filter: '' }],
    ['a capture without end', { ...args, seconds: 601 }],
    ['no bound of frames', { ...args, packets: 0 }],
    ['a name that is none', { ...args, id: 'a b' }],
  ])('%s is refused', (_, wrong) => {
    expect(() => captureJobOf(wrong)).toThrow(RangeError);
  });

  test.each([
    ['3 packets captured\n3 packets received by filter\n0 packets dropped by kernel', true],
    ['24 packets captured\n31 packets received by filter\n0 packets dropped by kernel', true],
    ['4 packets captured\n4 packets received by filter\n2 packets dropped by kernel', false],
    ['4 packets captured\n4 packets received by filter\n10 packets dropped by kernel', false],
    ['tcpdump: eth0: No such device exists', false],
  ])('%j: nothing was dropped: %s', (said, whole) => {
    expect(nothingDropped(`tcpdump: listening on eth0, link-type EN10MB (Ethernet)\n${said}\n`)).toBe(whole);
  });
});
