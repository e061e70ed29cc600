import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { pack } from 'tar-stream';
import { sha256 } from './store.ts';

const compress = promisify(zstdCompress);

/** One image of an archive: its reference, its layers from the lowest up (plain tars), and how it starts. */
export interface Image {
  /** `registry.example/name:tag` */
  readonly reference: string;
  readonly layers: readonly Buffer[];
  readonly entrypoint?: readonly string[];
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+zstd';
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;

/** Content by digest, each once however many images have it. */
class Blobs {
  readonly content = new Map<string, Buffer>();
  private readonly packed = new Map<Buffer, Descriptor>();

  add(mediaType: string, data: Buffer): Descriptor {
    const digest = sha256(data);
    this.content.set(digest, data);
    return { mediaType, digest: `sha256:${digest}`, size: data.length };
  }

  addJson(mediaType: string, value: unknown): Descriptor {
    return this.add(mediaType, Buffer.from(JSON.stringify(value)));
  }

  async addLayer(tar: Buffer): Promise<Descriptor> {
    const known = this.packed.get(tar);
    if (known) return known;
    const data = await compress(tar, { params: { [constants.ZSTD_c_compressionLevel]: 6 } });
    const descriptor = this.add(LAYER, data);
    this.packed.set(tar, descriptor);
    return descriptor;
  }
}

const describeImage = async (image: Image, blobs: Blobs): Promise<unknown> => {
  const layers: Descriptor[] = [];
  for (const tar of image.layers) layers.push(await blobs.addLayer(tar));
  const config = blobs.addJson(CONFIG, {
    architecture: ARCHITECTURE,
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: { Entrypoint: image.entrypoint, Env: [PATH] },
    rootfs: { type: 'layers', diff_ids: image.layers.map((tar) => `sha256:${sha256(tar)}`) },
  });
  const manifest = blobs.addJson(MANIFEST, { schemaVersion: 2, mediaType: MANIFEST, config, layers });
  return {
    ...manifest,
    platform: { architecture: ARCHITECTURE, os: 'linux' },
    // containerd names the image by the first, other tools by the second.
    annotations: {
      'io.containerd.image.name': image.reference,
      'org.opencontainers.image.ref.name': image.reference.slice(image.reference.lastIndexOf(':') + 1),
    },
  };
};

/** Writes an OCI image layout as one tar file (image-spec, image-layout.md): what `ctr images import` reads. */
export const writeOciArchive = async (path: string, images: readonly Image[]): Promise<void> => {
  const blobs = new Blobs();
  const manifests: unknown[] = [];
  for (const image of images) manifests.push(await describeImage(image, blobs));
  const tar = pack();
  const written = pipeline(tar, createWriteStream(path));
  const put = (name: string, data: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      tar.entry({ name, mtime: new Date(0) }, data, (error) => (error ? reject(error) : resolve()));
    });
  await put('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  await put('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));
  for (const [digest, data] of blobs.content) await put(`blobs/sha256/${digest}`, data);
  tar.finalize();
  await written;
};
