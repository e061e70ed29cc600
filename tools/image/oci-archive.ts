import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import type { Layer } from './layer.ts';

export interface ImageDescription {
  /** Fully qualified, so that no runtime puts a registry's name in front of it. */
  readonly reference: string;
  readonly architecture: 'amd64' | 'arm64';
  readonly entrypoint: readonly string[];
  readonly environment: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

interface Blob {
  readonly bytes: Buffer;
  readonly digest: string;
}

/**
 * An OCI image layout in one tar (image-spec, image-layout.md), with Docker's manifest.json beside it, so that
 * `ctr images import`, `podman load`, `docker load` and `kind load image-archive` all take it. Returns the manifest's digest.
 */
export async function writeOciArchive(
  file: string,
  image: ImageDescription,
  layers: readonly Layer[],
): Promise<string> {
  const config = blobOf(configOf(image, layers));
  const manifest = blobOf(manifestOf(config, layers));
  const partial = `${file}.${process.pid}.partial`;
  const tar = pack();
  const written = pipeline(tar, createWriteStream(partial));
  await addBytes(tar, 'oci-layout', Buffer.from(JSON.stringify({ imageLayoutVersion: '1.0.0' })));
  for (const blob of [config, manifest]) await addBytes(tar, blobPath(blob.digest), blob.bytes);
  for (const layer of layers) await addFile(tar, blobPath(layer.digest), layer);
  await addBytes(tar, 'manifest.json', Buffer.from(JSON.stringify(dockerManifest(image, config, layers))));
  await addBytes(tar, 'index.json', Buffer.from(JSON.stringify(indexOf(image, manifest))));
  tar.finalize();
  await written;
  await rename(partial, file);
  return manifest.digest;
}

function configOf(image: ImageDescription, layers: readonly Layer[]): object {
  return {
    created: new Date(0).toISOString(), // the same sources give the same digest
    architecture: image.architecture,
    os: 'linux',
    config: { Entrypoint: image.entrypoint, Env: image.environment, WorkingDir: '/', Labels: image.labels },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(() => ({ created: new Date(0).toISOString(), created_by: 'podtriage image' })),
  };
}

function manifestOf(config: Blob, layers: readonly Layer[]): object {
  return {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: config.digest,
      size: config.bytes.length,
    },
    layers: layers.map((layer) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: layer.digest,
      size: layer.sizeBytes,
    })),
  };
}

function indexOf(image: ImageDescription, manifest: Blob): object {
  const tag = image.reference.slice(image.reference.lastIndexOf(':') + 1);
  return {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: manifest.digest,
        size: manifest.bytes.length,
        platform: { os: 'linux', architecture: image.architecture },
        annotations: { 'io.containerd.image.name': image.reference, 'org.opencontainers.image.ref.name': tag },
      },
    ],
  };
}

function dockerManifest(image: ImageDescription, config: Blob, layers: readonly Layer[]): object {
  const paths = layers.map((layer) => blobPath(layer.digest));
  return [{ Config: blobPath(config.digest), RepoTags: [image.reference], Layers: paths }];
}

function blobOf(value: object): Blob {
  const bytes = Buffer.from(JSON.stringify(value));
  return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

function addBytes(tar: Pack, name: string, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    tar.entry({ name, mtime: new Date(0), mode: 0o644 }, bytes, (error) => (error ? reject(error) : resolve()));
  });
}

async function addFile(tar: Pack, name: string, layer: Layer): Promise<void> {
  const entry = tar.entry({ name, mtime: new Date(0), mode: 0o644, size: layer.sizeBytes });
  await pipeline(createReadStream(layer.file), entry);
}
