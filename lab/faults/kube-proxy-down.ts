import { pathOf } from '../cluster/api.ts';
import type { Bed } from '../cluster/bed.ts';
import type { Fault } from '../fault.ts';
import { askFromClient, clusterIp, DEMO, expectConnect, NEAR, rolledOut } from '../fault-kit.ts';

const PROXY = pathOf('DaemonSet', 'kube-system', 'kube-proxy');
const SELECTOR = 'k8s-app=kube-proxy';

const proxyPods = async (bed: Bed): ReturnType<Bed['pods']> => bed.pods('kube-system', SELECTOR);

/** What a restarted node looks like before its kube-proxy has run: none of its rules. */
const removeRules = async (bed: Bed): Promise<void> => {
  if (bed.layout.proxyMode === 'nftables') {
    await bed.run(NEAR, 'nft delete table ip kube-proxy');
    return;
  }
  const script = "iptables-save | sed -e '/^:KUBE-/d' -e '/KUBE-/d' | iptables-restore";
  await bed.run(NEAR, ['sh', '-c', script]);
};

export const fault: Fault = {
  id: 'kube-proxy-down',
  causeId: 'kube-proxy-down',
  story: `kube-proxy has no priority: on ${NEAR}, just restarted and full, it stays Pending, and no Service works there, DNS included.`,
  inject: async (bed) => {
    await bed.api.patch(PROXY, {
      spec: {
        updateStrategy: { type: 'OnDelete', rollingUpdate: null },
        template: { spec: { containers: [{ name: 'kube-proxy', resources: { requests: { cpu: '1000' } } }] } },
      },
    });
    const own = (await proxyPods(bed)).find((pod) => pod.spec.nodeName === NEAR);
    if (own) await bed.api.remove(pathOf('Pod', 'kube-system', own.metadata.name));
    await bed.waitFor(`kube-proxy Pending on ${NEAR}`, async () => {
      const phases = (await proxyPods(bed)).map((pod) => pod.status.phase);
      const gone = !(await proxyPods(bed)).some((pod) => pod.metadata.name === own?.metadata.name);
      return (gone && phases.includes('Pending')) || phases.join(' ');
    });
    await removeRules(bed);
    await expectConnect(bed, NEAR, await clusterIp(bed, 'web'), 80, ['timed-out', 'unreachable']);
  },
  heal: async (bed) => {
    await bed.api.patch(PROXY, {
      spec: {
        updateStrategy: { type: 'RollingUpdate' },
        template: { spec: { containers: [{ name: 'kube-proxy', resources: { requests: null } }] } },
      },
    });
    await rolledOut(bed, PROXY);
    await expectConnect(bed, NEAR, await clusterIp(bed, 'web'), 80, ['connected']);
  },
  questions: async (bed) => [
    await askFromClient(bed, `svc/${DEMO}/web:80`),
    { ...(await askFromClient(bed, 'web.demo.svc.cluster.local:80')), expect: { explains: 'dns-service-unreachable' } },
  ],
  expect: { node: NEAR },
};
