import type { ReportPlace } from './report.ts';

/** `node w1: sysctl net.ipv4.ip_forward`, `pod/shop/web on node w1`, `the cluster: service/shop/api`. */
export function placeText(place: ReportPlace): string {
  const where = placeWithoutObject(place);
  return place.object ? `${where}: ${place.object}` : where;
}

function placeWithoutObject({ node, namespace }: ReportPlace): string {
  if (node === '') return 'the cluster';
  return namespace === 'host' ? `node ${node}` : `${namespace} on node ${node}`;
}
