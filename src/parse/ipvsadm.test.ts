import { describe, expect, it } from 'vitest';
import { parseIpvsadm } from './ipvsadm.ts';

/** As ipvsadm 1.31 prints what kube-proxy makes, with one of everything else that its man page names. */
const SAVED = `-A -t 10.96.0.1:443 -s rr
-a -t 10.96.0.1:443 -r 10.78.0.11:6443 -m -w 1
-A -t 10.96.0.10:53 -s wlc -p 10800
-a -t 10.96.0.10:53 -r 10.244.0.2:53 -m -w 0
-a -t 10.96.0.10:53 -r 10.244.1.2:53 -m -w 3 -x 100 -y 50
-A -u 10.96.0.10:53 -s rr -o
-A -t [fd00:10:96::a]:53 -s sh -p 300 -M 64
-a -t [fd00:10:96::a]:53 -r [fd00:10:244::2]:53 -g -w 1
-A -f 7 -s mh -b mh-fallback,mh-port
-a -f 7 -r 192.0.2.9:0 -i -w 1 --tun-type gue --tun-port 6080
-A -f 7 -6 -s lblc
-A --sctp-service 10.96.0.9:9 -s nq
`;

describe('parseIpvsadm', () => {
  const { value, unparsed } = parseIpvsadm(SAVED);

  it('reads services with their real servers', () => {
    expect(unparsed).toEqual([]);
    expect(
      value.map((one) => [one.protocol ?? `mark ${one.mark}`, one.family, one.scheduler, one.destinations.length]),
    ).toEqual([
      ['tcp', 4, 'rr', 1],
      ['tcp', 4, 'wlc', 2],
      ['udp', 4, 'rr', 0],
      ['tcp', 6, 'sh', 1],
      ['mark 7', 4, 'mh', 1],
      ['mark 7', 6, 'lblc', 0],
      ['sctp', 4, 'nq', 0],
    ]);
    expect(value[1]).toMatchObject({ address: '10.96.0.10', port: 53, persistentSeconds: 10800 });
    expect(value[1]!.destinations[1]).toMatchObject({ address: '10.244.1.2', weight: 3, upperThreshold: 100 });
    expect(value[2]!.onePacket).toBe(true);
  });

  it('tells the ways to a real server apart', () => {
    const ways = value.flatMap((service) => service.destinations.map((one) => one.forwarding));
    expect(ways).toEqual(['masquerading', 'masquerading', 'masquerading', 'routing', 'tunnel']);
    expect(value[4]!.destinations[0]).toMatchObject({ tunnel: 'gue', port: 0 });
  });

  it('keeps what it does not understand: names, a server without its service, a cut line', () => {
    const broken = '-A -t www.example.org:http -s rr\n-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 1\n-A -t 10.0.0.1:80 -s';
    expect(parseIpvsadm(broken).unparsed.map((one) => one.line)).toEqual([1, 2, 3]);
    for (let end = 0; end < SAVED.length; end += 7) expect(() => parseIpvsadm(SAVED.slice(0, end))).not.toThrow();
  });
});
