import { withoutWireguardKeys } from '../parse/wireguard.ts';
import { REDACTED } from '../snapshot/redact-text.ts';
import type { Answer } from './node-side.ts';

/** `wg show all dump` (wg(8)). Its private and preshared keys do not leave the node. */
export async function askWireguard(run: (argv: readonly string[]) => Promise<Answer>): Promise<Answer> {
  const dump = await run(['wg', 'show', 'all', 'dump']);
  if (dump.got === 'nothing') return dump;
  const text = withoutWireguardKeys(Buffer.from(dump.raw).toString('utf8'), REDACTED);
  return { ...dump, raw: new TextEncoder().encode(text) };
}
