import { readFile } from 'node:fs/promises';
import { type DecodedBundle, decodeBundle } from '../snapshot/bundle.ts';
import { UsageError } from './exit-codes.ts';

/** Reads a bundle; a file that is none is wrong usage, one that was cut short is used as far as it goes. */
export async function readBundle(path: string): Promise<DecodedBundle> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new UsageError(`cannot read the bundle ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    return await decodeBundle(bytes);
  } catch (error) {
    throw new UsageError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
