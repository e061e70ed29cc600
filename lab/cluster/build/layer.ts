import { readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type Pack, pack } from 'tar-stream';
import { output } from '../../command.ts';

const EXECUTABLE = 0o755;
const PLAIN = 0o644;
const MERGED = ['/bin/', '/sbin/', '/lib/', '/lib64/'];

/** Debian's /bin, /sbin and /lib are links into /usr: a layer keeps each file once, under /usr. */
const merged = (path: string): string => (MERGED.some((folder) => path.startsWith(folder)) ? `/usr${path}` : path);

/** The shared libraries that a program of this machine loads, its dynamic linker included. */
const librariesOf = async (program: string): Promise<readonly string[]> => {
  const text = await output(['ldd', program]).catch(() => ''); // a static program has none
  return text.split(/\s+/).filter((word) => word.startsWith('/') && !word.endsWith(':'));
};

interface Entry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink';
  readonly mode: number;
  readonly linkname?: string;
}

/** One layer of a container image, put together from files of this machine. The first of two files for a path stays. */
export class Layer {
  private readonly tar: Pack = pack();
  private readonly whole: Promise<Buffer> = buffer(this.tar);
  private readonly taken = new Set<string>();

  private async add(header: Entry, content: Buffer = Buffer.alloc(0)): Promise<void> {
    if (this.taken.has(header.name)) return;
    const parent = dirname(header.name);
    if (parent !== '.' && parent !== '/') await this.folder(parent);
    this.taken.add(header.name);
    await new Promise<void>((resolve, reject) => {
      this.tar.entry({ mtime: new Date(0), uid: 0, gid: 0, size: content.length, ...header }, content, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  folder(path: string, mode = EXECUTABLE): Promise<void> {
    return this.add({ name: path.replace(/^\//, ''), type: 'directory', mode });
  }

  link(path: string, to: string): Promise<void> {
    return this.add({ name: path.replace(/^\//, ''), type: 'symlink', linkname: to, mode: 0o777 });
  }

  text(path: string, content: string): Promise<void> {
    return this.file(path, Buffer.from(content), PLAIN);
  }

  file(path: string, content: Buffer, mode = EXECUTABLE): Promise<void> {
    return this.add({ name: path.replace(/^\//, ''), type: 'file', mode }, content);
  }

  async copy(path: string, from: string, mode = EXECUTABLE): Promise<void> {
    await this.file(path, await readFile(from), mode);
  }

  /** A program of this machine with its libraries; false where the machine has none of that name. */
  async program(name: string, folder = '/usr/bin'): Promise<boolean> {
    const found = await output(['sh', '-c', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v "$0"', name]).catch(
      () => '',
    );
    if (!found.trim()) return false;
    const from = await realpath(found.trim());
    await this.copy(join(folder, name), from);
    for (const library of await librariesOf(from)) await this.copy(merged(library), await realpath(library));
    return true;
  }

  /** The finished tar; nothing can be added afterwards. */
  finish(): Promise<Buffer> {
    this.tar.finalize();
    return this.whole;
  }
}
