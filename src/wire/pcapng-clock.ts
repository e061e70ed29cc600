import { OPTION, type PcapngOption, viewOf } from './pcapng-block.ts';

/** How an interface counts time: a tick lasts multiply/divide nanoseconds, and counting starts at offsetNs after 1970. */
export interface PcapngClock {
  readonly multiply: bigint;
  readonly divide: bigint;
  readonly offsetNs: bigint;
}

const NS_PER_SECOND = 1_000_000_000n;

/** From if_tsresol (microseconds where there is none) and if_tsoffset (draft-ietf-opsawg-pcapng, 4.2). */
export function clockOf(options: readonly PcapngOption[], little: boolean): PcapngClock {
  const resolution = options.find((option) => option.code === OPTION.timestampResolution)?.value[0] ?? 6;
  const offset = options.find((option) => option.code === OPTION.timestampOffset)?.value;
  const offsetNs = offset?.length === 8 ? viewOf(offset).getBigInt64(0, little) * NS_PER_SECOND : 0n;
  return { multiply: NS_PER_SECOND, divide: ticksPerSecond(resolution), offsetNs };
}

/** The highest bit chooses between powers of two and of ten. */
function ticksPerSecond(resolution: number): bigint {
  const exponent = BigInt(resolution & 0x7f);
  return resolution >= 0x80 ? 2n ** exponent : 10n ** exponent;
}

/** Upper and lower 32 bits, in this order whatever the byte order. */
export function timestampAt(view: DataView, at: number, little: boolean, clock: PcapngClock): bigint {
  const ticks = (BigInt(view.getUint32(at, little)) << 32n) | BigInt(view.getUint32(at + 4, little));
  return (ticks * clock.multiply) / clock.divide + clock.offsetNs;
}
