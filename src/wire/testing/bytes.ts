/** Bytes from hexadecimal digits; white space is passed over. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
}

/** Bytes of parts, one after the other; numbers are single bytes. */
export function bytesOf(...parts: readonly (number | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...part])));
}

/** A number in `count` bytes, big-endian. */
export function number(value: number, count: 1 | 2 | 4): Uint8Array {
  return hex(
    (value >>> 0)
      .toString(16)
      .padStart(count * 2, '0')
      .slice(-count * 2),
  );
}
