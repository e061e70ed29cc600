import { isObject, type JsonObject, numberOf, parseJsonItems, stringOf, stringsOf } from './json-items.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/*
 * Format: `bridge -j -compressvlans vlan show`: a list of `{ "ifname", "vlans": [{ "vlan", "vlanEnd", "flags" }] }`;
 * before iproute2 5.0 one object whose keys are the devices.
 * Source of truth: bridge(8), iproute2's bridge/vlan.c (print_vlan_info).
 * Versions seen: by their source, 4.18 to 6.x; the kernel at hand has no VLAN filtering.
 * Not understood: per-VLAN options (`-d`: state, mcast_router) and tunnel ids, which are left out.
 */

/** The VLANs of one port of a bridge, or of the bridge itself, that filters VLANs. */
export interface BridgeVlan {
  readonly device: string;
  readonly vlan: number;
  /** Inclusive; `vlan` where it is one alone. */
  readonly vlanTo: number;
  /** Untagged frames that come in belong to it. */
  readonly pvid: boolean;
  /** Frames of it go out without their tag. */
  readonly untagged: boolean;
}

export function parseBridgeVlan(text: string): Parsed<readonly BridgeVlan[]> {
  const items = parseJsonItems(text);
  const value: BridgeVlan[] = [];
  const unparsed: UnparsedLine[] = [...items.unparsed];
  for (const item of items.value) {
    for (const [device, list] of listsOf(item)) {
      const vlans = Array.isArray(list) ? list.map((one) => vlanOf(device, one)) : [undefined];
      for (const vlan of vlans) {
        if (vlan) value.push(vlan);
        else unparsed.push({ line: 0, text: `${device}: ${JSON.stringify(list)}` });
      }
    }
  }
  return { value, unparsed };
}

function listsOf(item: JsonObject): readonly (readonly [string, unknown])[] {
  const name = stringOf(item.ifname);
  return name === undefined ? Object.entries(item) : [[name, item.vlans ?? []]];
}

function vlanOf(device: string, raw: unknown): BridgeVlan | undefined {
  const vlan = isObject(raw) ? numberOf(raw.vlan) : undefined;
  if (!isObject(raw) || vlan === undefined) return undefined;
  const flags = stringsOf(raw.flags);
  return {
    device,
    vlan,
    vlanTo: numberOf(raw.vlanEnd) ?? vlan,
    pvid: flags.includes('PVID'),
    untagged: flags.includes('Egress Untagged'),
  };
}
