import type { Bed } from './cluster/bed.ts';
import { OUTSIDE } from './cluster/layout.ts';
import { DEMO, FAR, NEAR, refOf, WEB_PORT } from './fault-kit.ts';

export interface HealthyQuestion {
  readonly id: string;
  readonly args: readonly string[];
}

/** One question for every kind of pair; on a healthy cluster the answer to each is: healthy, and no cause at all. */
export const healthyQuestions = async (bed: Bed): Promise<readonly HealthyQuestion[]> => {
  const client = refOf(await bed.demoPod('client', NEAR));
  const web = async (worker: string): Promise<readonly string[]> => [
    refOf(await bed.demoPod('web', worker)),
    '--port',
    String(WEB_PORT),
  ];
  const outside = bed.address(OUTSIDE);
  return [
    { id: 'pod-pod-same-node', args: [client, ...(await web(NEAR))] },
    { id: 'pod-pod-cross-node', args: [client, ...(await web(FAR))] },
    { id: 'pod-service', args: [client, `svc/${DEMO}/web:80`] },
    { id: 'pod-service-by-name', args: [client, 'web.demo.svc.cluster.local:80'] },
    { id: 'node-service', args: [`node/${NEAR}`, `svc/${DEMO}/web:80`] },
    { id: 'pod-node', args: [client, `node/${FAR}:10250`] },
    { id: 'pod-outside-by-address', args: [client, `${outside}:${WEB_PORT}`] },
    { id: 'pod-outside-by-name', args: [client, `outside.corp.test:${WEB_PORT}`] },
    { id: 'outside-nodeport', args: [`ip/${outside}`, `node/${NEAR}:30080`] },
  ];
};
