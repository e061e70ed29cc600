import { IMAGES } from './build/images.ts';
import { addressOf, CONTROL_PLANE, type Layout } from './layout.ts';

/** What the manifests' `${…}` stand for on this bed. */
export const manifestValues = (layout: Layout): Readonly<Record<string, string>> => ({
  proxyMode: layout.proxyMode,
  iptables: layout.iptables,
  podCidr: layout.podCidr,
  serviceCidr: layout.serviceCidr,
  apiAddress: addressOf(layout.net, CONTROL_PLANE),
  dnsAddress: layout.dnsServiceAddress,
  dnsReplicas: String(Math.min(2, layout.workers)),
  flannelBackend: layout.cni === 'flannel-host-gw' ? 'host-gw' : 'vxlan',
  imageKubeProxy: IMAGES.kubeProxy,
  imageFlannel: IMAGES.flannel,
  imageKubeRouter: IMAGES.kubeRouter,
  imageCoredns: IMAGES.coredns,
  imageAgnhost: IMAGES.agnhost,
  imageClient: IMAGES.client,
});

/** The CNI's manifest, and the pods that show that it works. */
export const cniOf = (
  layout: Layout,
): { readonly manifest: string; readonly namespace: string; readonly selector: string } =>
  layout.cni === 'kube-router'
    ? { manifest: 'kube-router', namespace: 'kube-system', selector: 'k8s-app=kube-router' }
    : { manifest: 'flannel', namespace: 'kube-flannel', selector: 'app=flannel' };
