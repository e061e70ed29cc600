import { expect, test } from 'vitest';
import {
  buildCase,
  checkWith,
  fakeSnapshot,
  flow,
  leafTrace,
  packet,
  probe,
  question,
  SERVER_PLACE,
} from '../../diagnose/testing/build-case.ts';
import { CLUSTER, podPlace } from '../../net/place.ts';
import type { Socket } from '../../parse/ss.ts';
import type { Pod, Service } from '../../snapshot/objects.ts';
import { CLUSTER_IP, pod, presentOf, service, slice, socket, statements } from '../testing/cause-cases.ts';
import { wrongTargetPort } from './wrong-target-port.ts';

const at = { ...CLUSTER, object: 'service/shop/api' };
const refused = flow({
  destination: CLUSTER_IP,
  port: 80,
  forward: leafTrace('no-listener', { place: SERVER_PLACE, senderSees: 'reset', packet: packet({ port: 9999 }) }),
  probe: probe('no', 'refused'),
});

function check(
  of: Service,
  sockets: readonly Socket[],
  flows = [refused],
  pods: readonly Pod[] = [pod('api-1')],
  complete = true,
) {
  const snapshot = fakeSnapshot({
    facts: [
      ['api.services', CLUSTER, {}, [of]],
      ['api.pods', CLUSTER, {}, pods, { complete }],
      ['api.endpointslices', CLUSTER, {}, [slice([{ ip: '10.244.2.7' }], of, 9999)]],
      ['sockets', SERVER_PLACE, {}, sockets],
    ],
  });
  return checkWith(wrongTargetPort, buildCase({ snapshot, question: question({ port: 80 }), flows }), at);
}

const wrong = service({ ports: [{ name: 'http', port: 80, targetPort: 9999, protocol: 'TCP' }] });

test('present: the pods listen on another port, and the patch names it', () => {
  const finding = check(wrong, [socket(8080)]);
  expect(presentOf(finding).claims).toHaveLength(1);
  expect(statements(finding)).toContain('listens on 8080 (app), not on 9999');
  expect(presentOf(finding).fix.commands[0]).toContain('"path":"/spec/ports/0/targetPort","value":8080');
});

test('present: a name that no container port has', () => {
  const named = service({ ports: [{ name: 'http', port: 80, targetPort: 'web', protocol: 'TCP' }] });
  expect(statements(check(named, [socket(8080)]))).toContain(
    'targetPort "web", and no container of its pods has a port of that name (they have http)',
  );
});

test('absent: the walk ends at a listener', () => {
  expect(check(service(), [socket(8080)], [flow({ destination: CLUSTER_IP, port: 80 })]).is).toBe('absent');
});

test('near miss: the pods listen on nothing, or only on the loopback', () => {
  expect(check(wrong, []).is).toBe('absent');
  expect(check(wrong, [socket(8080, '127.0.0.1')]).is).toBe('absent');
});

test('near miss: a named targetPort that the pods have is right', () => {
  const named = service({ ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }] });
  expect(check(named, [socket(8080)], [flow({ destination: CLUSTER_IP, port: 80 })]).is).toBe('absent');
});

test('near miss: the pods declare the port, and only a process beside the application listens', () => {
  const declared = pod('web', {
    namespace: 'demo',
    spec: { containers: [{ name: 'app', ports: [{ containerPort: 9999, protocol: 'TCP' }] }] },
  });
  expect(check(wrong, [socket(15020)], [refused], [declared]).is).toBe('absent');
});

test('near miss: another pod of the Service listens there', () => {
  const there = leafTrace('delivered', { place: podPlace('w1', 'demo', 'web-2'), packet: packet({ port: 9999 }) });
  const other = flow({ id: 'other', destination: CLUSTER_IP, port: 80, forward: there });
  expect(check(wrong, [socket(8080)], [refused, other]).is).toBe('absent');
});

test('unknown: a name that no pod that was read has, and not all were read', () => {
  const named = service({ ports: [{ name: 'http', port: 80, targetPort: 'web', protocol: 'TCP' }] });
  expect(check(named, [socket(8080)], [refused], [pod('api-1')], false).is).toBe('unknown');
});

test('near miss: the node’s rules send to a port that the EndpointSlices do not list', () => {
  const stale = leafTrace('no-listener', { place: SERVER_PLACE, packet: packet({ port: 7777 }) });
  expect(check(wrong, [socket(8080)], [flow({ destination: CLUSTER_IP, port: 80, forward: stale })]).is).toBe('absent');
});
