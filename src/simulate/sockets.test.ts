import { describe, expect, it } from 'vitest';
import { parseSs } from '../parse/ss.ts';
import { findListener } from './sockets.ts';
import { buildPacket, tcpSyn, udpTo } from './testing/build-hook-input.ts';

const sockets = (...lines: string[]) => parseSs(lines.join('\n')).value;
const tcp = (local: string, rest = '') =>
  `tcp LISTEN 0 4096 ${local} 0.0.0.0:* users:(("app",pid=7,fd=3)) ino:1 sk:1 <-> ${rest}`;
const V4 = buildPacket({ l4: tcpSyn(80) });
const V6 = buildPacket({ source: 'fd00::1', destination: 'fd00::2', l4: tcpSyn(80) });

const find = (list: ReturnType<typeof sockets>, packet = V4, input?: string) => {
  const match = findListener(list, packet, input);
  return match.found === 'listener' ? (match.socket.address ?? '*') : match.reason;
};

describe('findListener', () => {
  it.each([
    ['*:80', '*', '*'],
    ['0.0.0.0:80', '0.0.0.0', 'other-address'],
    ['10.244.1.7:80', '10.244.1.7', 'other-address'],
    ['127.0.0.1:80', 'other-address', 'other-address'],
    ['[::]:80', 'v6only', '::'],
    ['[::1]:80', 'other-address', 'other-address'],
    ['[fd00::2]:80', 'other-address', 'fd00::2'],
    ['[::ffff:10.244.1.7]:80', '::ffff:10.244.1.7', 'other-address'],
    ['*:81', 'none', 'none'],
  ])('%s: IPv4 finds %s, IPv6 %s', (local, four, six) => {
    expect(find(sockets(tcp(local)))).toBe(four);
    expect(find(sockets(tcp(local)), V6)).toBe(six);
  });

  it('serves IPv4 by a socket of :: that is not v6only', () => {
    expect(find(sockets(tcp('[::]:80', 'v6only:0')))).toBe('::');
    expect(find(sockets(tcp('*:80', 'v6only:1')))).toBe('v6only');
  });

  it('is not sure of IPv4 where ss read /proc, unless another socket serves it', () => {
    const byProc = (...lines: string[]) => parseSs(lines.join('\n'), { byProc: true }).value;
    const sure = (list: ReturnType<typeof byProc>, packet = V4) => findListener(list, packet, undefined);
    expect(sure(byProc(tcp('*:80')))).toMatchObject({ found: 'listener', isSure: false });
    expect(sure(byProc(tcp('*:80')), V6)).toMatchObject({ found: 'listener', isSure: true });
    expect(sure(byProc(tcp('*:80'), tcp('0.0.0.0:80')))).toMatchObject({ found: 'listener', isSure: true });
    expect(sure(sockets(tcp('*:80')))).toMatchObject({ found: 'listener', isSure: true });
  });

  it('looks at the device that a socket is bound to', () => {
    const bound = sockets(tcp('0.0.0.0%eth1:80'));
    expect(find(bound, V4, 'eth1')).toBe('0.0.0.0');
    expect(find(bound, V4, 'eth0')).toBe('other-device');
  });

  it('prefers the exact address', () => {
    expect(find(sockets(tcp('0.0.0.0:80'), tcp('10.244.1.7:80')))).toBe('10.244.1.7');
  });

  it('prefers an IPv4 socket to a dual-stack one, and one that is bound to the device to both', () => {
    expect(find(sockets(tcp('*:80'), tcp('0.0.0.0:80')))).toBe('0.0.0.0');
    const bound = sockets(tcp('0.0.0.0:80'), tcp('*%eth0:80'), tcp('0.0.0.0%eth0:80'));
    expect(findListener(bound, V4, 'eth0')).toMatchObject({ socket: { device: 'eth0', address: '0.0.0.0' } });
    expect(findListener(bound, V4, 'eth1')).toMatchObject({ socket: { address: '0.0.0.0' } });
    // The very address goes before the device.
    const exact = sockets(tcp('0.0.0.0%eth0:80'), tcp('10.244.1.7:80'));
    expect(find(exact, V4, 'eth0')).toBe('10.244.1.7');
  });

  it('finds in a VRF what is bound to it, and others only where that is allowed', () => {
    const any = sockets(tcp('0.0.0.0:80'));
    expect(findListener(any, V4, 'eth0', { name: 'red', isOpen: 'no' }).found).toBe('none');
    expect(findListener(any, V4, 'eth0', { name: 'red', isOpen: 'yes' })).toMatchObject({
      found: 'listener',
      isSure: true,
    });
    expect(findListener(any, V4, 'eth0', { name: 'red', isOpen: 'unknown' })).toMatchObject({ isSure: false });
    expect(findListener(sockets(tcp('0.0.0.0%red:80')), V4, 'eth0', { name: 'red', isOpen: 'no' }).found).toBe(
      'listener',
    );
  });

  it('keeps protocols apart', () => {
    const udp = buildPacket({ l4: udpTo(80) });
    expect(find(sockets(tcp('*:80')), udp)).toBe('none');
    expect(find(sockets('udp UNCONN 0 0 0.0.0.0:80 0.0.0.0:*'), udp)).toBe('0.0.0.0');
  });
});
