import { startRequest } from '../../src/capture/capture-request.ts';
import { createLocalHost } from '../../src/host/local.ts';
import { hostOf } from '../../src/net/place.ts';

/* Starts a capture in the namespace that it is told, says so, and waits to be killed. */
const [, , namespace] = process.argv;
const host = createLocalHost({ nodes: { w1: { initPid: 1, namespaces: { 'w1|host': namespace! } } } });
const tuple = { protocol: 'icmp', source: '192.0.2.1', destination: '192.0.2.2' } as const;
const request = startRequest({ place: hostOf('w1'), device: 'eth0', tuples: [tuple] }, 'eth0', {
  seconds: 60,
  packets: 100,
});
const limits = { deadlineMs: 15_000, maxBytes: 1 << 20 };
for await (const { got } of host.perform([request], limits, new AbortController().signal)) console.log(got);
setInterval(() => {}, 1_000);
