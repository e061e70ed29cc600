import { expect, test } from 'vitest';
import { checkWith, probe } from '../../diagnose/testing/build-case.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import { CLIENT_VETH, namedOn, recordedCase, W1, W2, W2_IP, WEB, WEB_IP } from '../testing/recorded-case.ts';
import { addNeighbour, cut, editJson, editLink, removeNeighbour, setLink } from '../testing/recorded-faults.ts';
import { neighbourUnresolved } from './neighbour-unresolved.ts';

const probes = { main: probe('no', 'timed-out') };
const STALE = '02:00:5e:00:53:02';
const NIC_MAC = '16:27:01:0c:b3:43';

test('present: a permanent entry names a MAC that the other node does not have', () => {
  const given = recordedCase({ changes: [addNeighbour(W1, `${W2_IP} dev eth0 lladdr ${STALE} PERMANENT`)], probes });
  const finding = checkWith(neighbourUnresolved, given, W1);
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'forward', segment: 0 }]);
  expect(presentOf(finding).place).toEqual({ ...W1, object: `neighbour ${W2_IP} dev eth0` });
  expect(presentOf(finding).change).toEqual([
    expect.objectContaining({ op: 'neighbour', act: 'remove', line: `${W2_IP} dev eth0` }),
    expect.objectContaining({ op: 'neighbour', act: 'add', line: `${W2_IP} dev eth0 lladdr ${NIC_MAC} REACHABLE` }),
  ]);
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['walk', 'probe']);
  expect(statements(finding)).toContain(
    `${W2_IP} dev eth0 is entered as ${STALE} (PERMANENT), but the host with that address has ${NIC_MAC}`,
  );
  expect(presentOf(finding).fix.commands[0]).toBe(`ip neigh del ${W2_IP} dev eth0    # on w1`);
  expect(namedOn(given)).toEqual(['neighbour-unresolved']);
});

/** The pod lost its address; whoever asks for it on the bridge hears nothing. */
const addressGone = {
  edits: [
    editLink(WEB, 'eth0', (link) => ({ ...link, addr_info: [] })),
    editJson('neighbours', W2, (entries) =>
      entries.map((one) => (one['dst'] === WEB_IP ? { dst: WEB_IP, dev: 'cni0', state: ['FAILED'] } : one)),
    ),
  ],
  probes,
};

test('present: nobody answers for the next hop', () => {
  const given = recordedCase(addressGone);
  const finding = checkWith(neighbourUnresolved, given, W2);
  expect(statements(finding)).toContain(`nobody behind cni0 has the address ${WEB_IP}`);
  expect(presentOf(finding).change).toEqual([]);
  expect(presentOf(finding).fix.summary).toContain('the next hop does not answer');
  expect(namedOn(given)).toEqual(['neighbour-unresolved']);
});

test('absent: every next hop resolves', () => {
  expect(checkWith(neighbourUnresolved, recordedCase(), W1).is).toBe('absent');
});

test('near miss: a stale entry with an old MAC is asked anew by the kernel', () => {
  const given = recordedCase({ changes: [addNeighbour(W1, `${W2_IP} dev eth0 lladdr ${STALE} STALE`)] });
  expect(checkWith(neighbourUnresolved, given, W1).is).toBe('absent');
  expect(namedOn(given)).toEqual([]);
});

test('near miss: a failed entry of a host that is there again', () => {
  const given = recordedCase({ changes: [addNeighbour(W1, `${W2_IP} dev eth0 FAILED`)] });
  expect(checkWith(neighbourUnresolved, given, W1).is).toBe('absent');
});

test('near miss: the tunnel’s own entries have a name of their own', () => {
  const given = recordedCase({ changes: [removeNeighbour(W1, '10.244.1.0 dev flannel.1')], probes });
  expect(checkWith(neighbourUnresolved, given, W1).is).toBe('absent');
  expect(namedOn(given)).toEqual(['vtep-address-mismatch']);
});

test('near miss: the receiver’s tunnel device refuses the inner frame; the outer one’s next hop was right', () => {
  const given = recordedCase({ changes: [setLink(W2, 'flannel.1', { mac: STALE })], probes });
  expect(given.flows[0]!.dead[0]?.end.end).toBe('not-for-this-mac');
  expect(checkWith(neighbourUnresolved, given, W1).is).toBe('absent');
  expect(checkWith(neighbourUnresolved, given, W2).is).toBe('absent');
});

test('near miss: the pod’s veth is no port of the bridge: that is why nobody answers there', () => {
  const given = recordedCase({ changes: [setLink(W1, CLIENT_VETH, { master: '' })], probes });
  expect(presentOf(checkWith(neighbourUnresolved, given, W1)).place?.object).toContain('dev cni0');
  expect(namedOn(given)).toEqual(['pod-veth-broken']);
});

test('near miss: another node’s look-up failed', () => {
  expect(checkWith(neighbourUnresolved, recordedCase(addressGone), W1).is).toBe('absent');
});

test('unknown: the devices were cut; the pod behind the bridge was not looked at', () => {
  expect(checkWith(neighbourUnresolved, recordedCase({ edits: [cut('links', W1)], probes }), W1).is).toBe('unknown');
  expect(checkWith(neighbourUnresolved, recordedCase({ without: [[WEB]], probes }), W2).is).toBe('unknown');
});
