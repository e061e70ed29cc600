/** A large ping and sizes below it, for tests of what large packets are lost by. Test helper. */
import type { FlowProbe } from '../../diagnose/derived.ts';
import { probe } from '../../diagnose/testing/build-case.ts';
import { ECHO } from '../../simulate/testing/build-hook-input.ts';
import { type Ask, type RecordedInput, W1, W1_IP, W2_IP } from './recorded-case.ts';

export const POD_MTU = 1450;
export const ping = (id: string, lengthBytes: number): Ask => ({ id, l4: ECHO, lengthBytes });
export const large = ping('large', POD_MTU);
export const small = ping('icmp', 84);
export const passes = probe('yes', 'answered');
export const lost = probe('no', 'silent');
/** The sender was told that it is too big. */
export const told = probe('unknown', 'too-big', '10.244.0.1: Frag needed and DF set (mtu = 1350)');
export const SIZES = [1440, 1430, 1422, 1410, 1400, 1390, 1370, 1350, 1320, 1280];
export const underlay: Ask = {
  id: 'underlay-large/w2',
  purpose: 'underlay-large',
  from: W1,
  source: W1_IP,
  to: W2_IP,
  l4: ECHO,
  lengthBytes: 1500,
};

/** Pings of up to so many bytes pass, larger ones are lost without a word. */
export const narrow = (limit: number, more: RecordedInput = {}): RecordedInput => ({
  asks: [{}, small, large, ...SIZES.map((bytes) => ping(`size/${bytes}`, bytes))],
  ...more,
  probes: {
    main: probe('yes', 'connected'),
    icmp: passes,
    large: lost,
    ...Object.fromEntries(SIZES.map((bytes): [string, FlowProbe] => [`size/${bytes}`, bytes <= limit ? passes : lost])),
    ...more.probes,
  },
});
