import { readFile } from 'node:fs/promises';

/** Whether a question would make the kernel load a module (request_module), which collecting must not do. */
export interface Modules {
  /** True where this module could be loaded and is not. False where it is loaded, built in, or not there at all. */
  isIdle(name: string): Promise<boolean>;
}

/** `procRoot`: the node's /proc; `root`: its root directory, where its kernel looks for modules. */
export function createModules(procRoot: string, root: string): Modules {
  let dependencies: Promise<string> | undefined;
  return {
    async isIdle(name) {
      const loaded = await textOf(`${procRoot}/modules`);
      // Without /proc/modules this kernel loads none.
      if (loaded === '' || isLoaded(loaded, name)) return false;
      dependencies ??= textOf(`${procRoot}/sys/kernel/osrelease`).then((release) =>
        textOf(`${root}/lib/modules/${release.trim()}/modules.dep`),
      );
      return isLoadable(await dependencies, name);
    },
  };
}

/** /proc/modules (proc_modules(5)): the first word of a line is a loaded module. */
export function isLoaded(procModules: string, name: string): boolean {
  return new RegExp(`^${name} `, 'm').test(procModules);
}

/** modules.dep (modules.dep(5)): `kernel/net/netfilter/nf_tables.ko.zst: …`; file names may have dashes for underscores. */
export function isLoadable(modulesDep: string, name: string): boolean {
  return new RegExp(`^(?:\\S*/)?${name.replaceAll('_', '[-_]')}\\.ko(?:\\.\\w+)?:`, 'm').test(modulesDep);
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}
