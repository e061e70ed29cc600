import { ipv4At, ipv6At } from './address-at.ts';
import type { NamedAddress } from './capture-file.ts';
import { type PcapngBlock, padded, viewOf } from './pcapng-block.ts';

/** Records of a name resolution block: type (16 bits), length (16), value: an address and its names, each ended by 0. */
export const NAME_RECORD = { end: 0, ipv4: 1, ipv6: 2 } as const;

const ADDRESS_BYTES: Readonly<Record<number, number>> = { [NAME_RECORD.ipv4]: 4, [NAME_RECORD.ipv6]: 16 };

/** Names of IP addresses (draft-ietf-opsawg-pcapng, 4.5); other records are passed over. */
export function readNames({ body, little }: PcapngBlock): readonly NamedAddress[] {
  const view = viewOf(body);
  const found: NamedAddress[] = [];
  let at = 0;
  while (at + 4 <= body.length) {
    const type = view.getUint16(at, little);
    const length = view.getUint16(at + 2, little);
    if (type === NAME_RECORD.end || at + 4 + length > body.length) break;
    const named = nameIn(type, body.subarray(at + 4, at + 4 + length));
    if (named) found.push(named);
    at += 4 + padded(length);
  }
  return found;
}

function nameIn(type: number, value: Uint8Array): NamedAddress | undefined {
  const addressBytes = ADDRESS_BYTES[type];
  if (addressBytes === undefined || value.length <= addressBytes) return undefined;
  const names = new TextDecoder('utf-8', { ignoreBOM: true })
    .decode(value.subarray(addressBytes))
    .split('\0')
    .filter((name) => name !== '');
  return { address: addressBytes === 4 ? ipv4At(value, 0) : ipv6At(value, 0), names };
}
