import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DEFAULT_IMAGE } from '../../src/cli/default-image.ts';
import { appEntries, appLayer } from './app-layer.ts';
import { baseLayer } from './base-layer.ts';
import { type Layer, writeDirectory } from './layer.ts';
import { nodeLayer } from './node-layer.ts';
import { writeOciArchive } from './oci-archive.ts';

const USAGE = `npm run image -- --output FILE.tar [--reference NAME:TAG] [--with-bpftrace]
npm run image -- --directory DIRECTORY      podtriage's own files only, for deploy/Dockerfile

Writes the image of podtriage's node side as an OCI archive, from Debian's packages and this checkout, without a
registry; its last line of output is the image's reference. Needs apt-get and dpkg-deb (Debian 12 or newer, or Ubuntu).`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      output: { type: 'string' },
      directory: { type: 'string' },
      reference: { type: 'string' },
      'with-bpftrace': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(USAGE);
  const repository = fileURLToPath(new URL('../..', import.meta.url));
  if (values.directory) return writeDirectory(values.directory, await appEntries(repository));
  if (!values.output) return wrongUsage(`--output is missing\n${USAGE}`);
  const { version } = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8')) as { version: string };
  const reference = values.reference ?? DEFAULT_IMAGE;
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'podtriage', 'image');
  const say = (line: string): void => console.error(`image: ${line}`);
  // Not in the cache: two builds at once would overwrite each other's.
  const scratch = await mkdtemp(join(tmpdir(), 'podtriage-image-'));
  try {
    const [base, node, app] = await Promise.all([
      baseLayer({ withBpftrace: values['with-bpftrace'], cache, say }),
      nodeLayer(cache),
      appLayer(repository, scratch),
    ]);
    const digest = await writeOciArchive(values.output, describe(reference, version), [base, node, app]);
    for (const [name, layer] of Object.entries({ 'Debian tools': base, Node: node, podtriage: app })) {
      say(`${name}: ${sizes(layer.sizeBytes, layer.unpackedBytes)}`);
    }
    const layers = [base, node, app];
    say(`${values.output}: ${sizes(sum(layers, 'sizeBytes'), sum(layers, 'unpackedBytes'))}, ${digest}`);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  console.log(reference);
}

function describe(reference: string, version: string): Parameters<typeof writeOciArchive>[1] {
  return {
    reference,
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    entrypoint: ['/usr/bin/podtriage-agent'],
    environment: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C'],
    labels: {
      'org.opencontainers.image.title': 'podtriage',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': 'Apache-2.0',
    },
  };
}

function wrongUsage(message: string): void {
  console.error(message);
  process.exitCode = 2;
}

function sizes(packedBytes: number, unpackedBytes: number): string {
  return `${megabytes(packedBytes)}, ${megabytes(unpackedBytes)} unpacked`;
}

function sum(layers: readonly Layer[], key: 'sizeBytes' | 'unpackedBytes'): number {
  return layers.reduce((total, layer) => total + layer[key], 0);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

await main().catch((error: Error) => {
  console.error(`image: ${error.message}`);
  process.exitCode = 1;
});
