import { expect, test } from 'vitest';
import type { Service } from '../snapshot/objects.ts';
import { flowsTo } from './service-flows.ts';
import { flow, leafTrace, packet, SERVER, SERVER_PLACE } from './testing/build-case.ts';

const NODE = '10.78.0.11';
const service: Service = {
  metadata: { name: 'web', namespace: 'demo' },
  spec: {
    type: 'NodePort',
    clusterIPs: ['10.96.12.34'],
    ports: [{ port: 80, targetPort: 8080, nodePort: 30080, protocol: 'TCP' }],
  },
};

test('by a cluster address, and by the NodePort of a node', () => {
  const flows = [flow({ destination: '10.96.12.34', port: 81 }), flow({ destination: NODE, port: 30080 })];
  expect(flowsTo(service, flows)).toEqual(flows);
});

test('the same number is another port: of UDP, of a pod that gets it untranslated, of an endpoint', () => {
  const inPod = leafTrace('no-listener', { place: SERVER_PLACE, packet: packet({ port: 30080 }) });
  const flows = [
    flow({ destination: NODE, port: 30080, protocol: 'udp' }),
    flow({ destination: SERVER, port: 30080, forward: inPod }),
    flow({ id: `endpoint/${SERVER}`, purpose: 'endpoint', destination: SERVER, port: 30080 }),
  ];
  expect(flowsTo(service, flows)).toEqual([]);
});
