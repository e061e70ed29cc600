import { createHash } from 'node:crypto';

/** One Service port of the benches' cluster, with the endpoints that kube-proxy balances over. */
export interface BenchService {
  /** `NAMESPACE/NAME`; its port is called http. */
  readonly name: string;
  readonly address: string;
  readonly endpoints: readonly string[];
}

export const SERVICE_PORT = 80;
export const ENDPOINT_PORT = 8080;
export const POD_NETWORK = '10.244.0.0/16';
export const SERVICE_NETWORK = '10.96.0.0/12';

/** `count` Services with the same endpoints: as many backends as there are, whatever the number of pods. */
export function makeServices(count: number, endpoints: readonly string[]): BenchService[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `team-${index % 100}/service-${index}`,
    address: `10.${96 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`,
    endpoints,
  })).map((service, index) =>
    index === 0 ? { ...service, name: 'default/kubernetes', address: '10.111.0.1' } : service,
  );
}

/** How kube-proxy shortens names in both layouts: the first characters of a SHA-256 in base32 (RFC 4648). */
export function shortHash(text: string, length: number): string {
  const bits = [...createHash('sha256').update(text).digest()]
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('');
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  return Array.from({ length }, (_, index) => letters[Number.parseInt(bits.slice(index * 5, index * 5 + 5), 2)]).join(
    '',
  );
}
