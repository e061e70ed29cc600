import { constants, createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';

/** A file of an archive; not `whole` where the archive ends within it. */
export interface ArchivedFile {
  readonly name: string;
  readonly content: Uint8Array;
  readonly whole: boolean;
}

export interface Archive {
  readonly files: readonly ArchivedFile[];
  /** The archive ends before its own end. */
  readonly cut: boolean;
}

/** A bundle unpacked; more than this is no bundle of ours, and might be made to fill the memory. */
const UNPACKED_MAX_BYTES = 2 ** 30;
const TAR_BLOCK_BYTES = 512;

/** Reads a .tar.gz, or a bare .tar, as far as it goes. Throws where it is neither or damaged before its end. */
export async function readArchive(bytes: Uint8Array): Promise<Archive> {
  const isGzip = bytes[0] === 0x1f && (bytes.length < 2 || bytes[1] === 0x8b);
  if (!isGzip && bytes.length < TAR_BLOCK_BYTES) throw new Error('this is no podtriage bundle: not an archive');
  const unpacked = isGzip ? await gunzipAsFarAsItGoes(bytes) : { bytes, cut: false };
  return untar(unpacked.bytes, unpacked.cut);
}

/** Z_SYNC_FLUSH at the end makes zlib hand out what it has instead of calling a cut stream an error. */
async function gunzipAsFarAsItGoes(bytes: Uint8Array): Promise<{ bytes: Uint8Array; cut: boolean }> {
  const unzip = createGunzip({ finishFlush: constants.Z_SYNC_FLUSH });
  const chunks: Uint8Array[] = [];
  let length = 0;
  unzip.end(bytes);
  try {
    for await (const chunk of unzip) {
      length += chunk.length;
      if (length > UNPACKED_MAX_BYTES) throw new Error(`more than ${UNPACKED_MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw new Error(`the bundle is damaged: ${error instanceof Error ? error.message : String(error)}`);
  }
  const unpacked = Buffer.concat(chunks);
  return { bytes: unpacked, cut: !endsLikeTar(unpacked) };
}

/** Two blocks of zeros end a tar. */
function endsLikeTar(bytes: Uint8Array): boolean {
  const end = bytes.subarray(Math.max(0, bytes.length - 2 * TAR_BLOCK_BYTES));
  return bytes.length >= 2 * TAR_BLOCK_BYTES && end.every((byte) => byte === 0);
}

function untar(bytes: Uint8Array, wasCut: boolean): Promise<Archive> {
  const files: { name: string; chunks: Uint8Array[]; size: number; whole: boolean }[] = [];
  const reader = extract();
  return new Promise((resolve, reject) => {
    const finish = (cut: boolean): void =>
      resolve({
        files: files.map(({ name, chunks, whole }) => ({ name, content: Buffer.concat(chunks), whole })),
        cut,
      });
    reader.on('entry', (header, stream, next) => {
      const file = { name: header.name, chunks: [] as Uint8Array[], size: header.size ?? 0, whole: false };
      files.push(file);
      stream.on('data', (chunk) => {
        if (chunk instanceof Uint8Array) file.chunks.push(chunk);
      });
      stream.on('error', () => {}); // told by the reader
      stream.on('end', () => {
        file.whole = true;
        next();
      });
    });
    reader.on('finish', () => finish(wasCut || !endsLikeTar(bytes)));
    reader.on('error', (error: Error) => {
      const isCut = /unexpected end/i.test(error.message);
      if (isCut) finish(true);
      else if (files.length === 0) reject(new Error('this is no podtriage bundle: not a tar archive'));
      else reject(new Error(`the bundle is damaged: ${error.message}`));
    });
    reader.end(Buffer.from(bytes));
  });
}
