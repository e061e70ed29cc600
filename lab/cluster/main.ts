import { spawn } from 'node:child_process';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { allFaults } from '../all-faults.ts';
import { killRunningCommands } from '../command.ts';
import { pathOf } from './api.ts';
import { Bed } from './bed.ts';
import { build, describeBuilt } from './build.ts';
import { beds, down, leftovers } from './down.ts';
import { onHost } from './host.ts';
import { type BedOptions, DEFAULT_NAME, layoutOf } from './layout.ts';
import { programOf, up } from './up.ts';

const say = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

const wholeNumber = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('a whole number');
  return value;
};

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

const nameOption = (): Option =>
  new Option('--name <prefix>', 'which bed: several can be up at once').default(DEFAULT_NAME);

const howToUse = (bed: Bed): string => {
  const { layout } = bed;
  const name = layout.name === DEFAULT_NAME ? '' : ` --name ${layout.name}`;
  return `
export KUBECONFIG=${layout.kubeconfig} PATH=${programOf(layout, '')}:$PATH

  kubectl get pods -A -o wide                  hosts: ${layout.hosts.map((host) => `${host} ${bed.address(host)}`).join(', ')}
  npm run cluster -- exec${name} w1 -- ip route   a command on a host; without one, a shell
  npm run cluster -- fault${name} list            real faults to inject and to heal
  npm run -s podtriage -- diagnose ds/demo/client svc/demo/web
  npm run cluster -- down${name}
`;
};

const runUp = async (options: BedOptions): Promise<void> => {
  const layout = layoutOf(options);
  const bed = await up(layout, say).catch((error: Error) => {
    throw new Error(`${error.message}\n(npm run cluster -- down --name ${layout.name} removes what there is)`);
  });
  process.stdout.write(howToUse(bed));
  bed.close();
};

const runDown = async (name: string): Promise<void> => {
  const before = await leftovers(name);
  await down(name);
  say(before.length === 0 ? `bed ${name} was not up` : `bed ${name} is gone`);
};

const runStatus = async (): Promise<number> => {
  const names = await beds();
  if (names.length === 0) say('no bed is up');
  for (const name of names) {
    const bed = await Bed.open(name).catch((error: Error) => error);
    if (bed instanceof Error) {
      say(
        `${name}: ${(await leftovers(name)).length} leftovers of an interrupted run: npm run cluster -- down --name ${name}`,
      );
      continue;
    }
    const { layout } = bed;
    say(
      `${name}: ${layout.net}.0/24, ${layout.cni}, kube-proxy ${layout.proxyMode}, iptables-${layout.iptables}, ${layout.kubeconfig}`,
    );
    const nodes = await bed.api.list(pathOf('Node', undefined)).catch((error: Error) => error);
    if (nodes instanceof Error) say(`  the API server does not answer: ${nodes.message}`);
    else for (const node of nodes) say(`  ${node.metadata.name} ${readiness(node.status.conditions)}`);
    bed.close();
  }
  return names.length === 0 ? 1 : 0;
};

const readiness = (conditions: readonly { type: string; status: string; message: string }[]): string => {
  const ready = conditions.find((condition) => condition.type === 'Ready');
  return ready?.status === 'True' ? 'Ready' : `NotReady: ${ready?.message ?? 'no condition'}`;
};

/** Hands the terminal over to the command: it ends with that command's code. */
const runExec = async (name: string, host: string, words: readonly string[]): Promise<number> => {
  const bed = await Bed.open(name);
  bed.close();
  const [program, ...args] = await onHost(bed.layout, host, words.length > 0 ? words : ['bash']);
  const child = spawn(program!, args, { stdio: 'inherit' });
  // Ctrl-C is the command's own affair.
  process.removeAllListeners('SIGINT');
  process.on('SIGINT', () => {});
  return new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 128)));
};

const listFaults = async (): Promise<void> => {
  for (const fault of await allFaults()) say(`${fault.id.padEnd(44)}${fault.story}`);
};

const runFault = async (name: string, id: string, action: string): Promise<void> => {
  const fault = (await allFaults()).find((each) => each.id === id);
  if (!fault) throw new Error(`no fault ${id}: npm run cluster -- fault list`);
  const bed = await Bed.open(name);
  try {
    const unfit = fault.unfit?.(bed.layout);
    if (unfit) throw new Error(`${id} ${unfit}`);
    if (action === 'inject') {
      await fault.inject(bed);
      say(`${fault.story}\nPodtriage should name ${fault.causeId}. Ask it:`);
      for (const { args } of await fault.questions(bed)) say(`  npm run -s podtriage -- diagnose ${args.join(' ')}`);
    } else {
      await fault.heal(bed);
      say(`${id} is healed`);
    }
  } finally {
    bed.close();
  }
};

const commands = (): Command => {
  const cli = new Command('npm run cluster --').description(
    'a real Kubernetes cluster in network namespaces of this machine',
  );
  cli
    .command('up')
    .description('start a cluster; builds Kubernetes first if need be')
    .addOption(nameOption())
    .option('--net <a.b.c>', 'first three numbers of the node network; default: made from the name')
    .addOption(new Option('--proxy-mode <mode>').choices(['iptables', 'nftables']).default('iptables'))
    .addOption(
      new Option('--cni <cni>').choices(['flannel-vxlan', 'flannel-host-gw', 'kube-router']).default('flannel-vxlan'),
    )
    .addOption(
      new Option('--iptables <backend>', "kube-proxy's, the CNI's and the hosts' own")
        .choices(['nft', 'legacy'])
        .default('nft'),
    )
    .option('--workers <n>', 'how many worker nodes', wholeNumber, 2)
    .option('--image <file.tar>', 'an image archive to import on every worker; may be given again', collect, [])
    .action(({ image, ...options }) => runUp({ ...options, images: image }));
  cli
    .command('down')
    .description('remove all of a cluster, also after an interrupted up')
    .addOption(nameOption())
    .action(({ name }) => runDown(name));
  cli
    .command('status')
    .description('which clusters are up')
    .action(async () => {
      process.exitCode = await runStatus();
    });
  cli
    .command('exec')
    .description('run a command on a host: w1 w2 … cp outside fabric')
    .addOption(nameOption())
    .argument('<host>')
    .argument('[command...]')
    .action(async (host, words, { name }) => {
      process.exitCode = await runExec(name, host, words);
    });
  cli
    .command('build')
    .description('build what a cluster runs, unless it is in the store')
    .option('--kube-router', 'kube-router too')
    .action(async ({ kubeRouter }) =>
      say(await describeBuilt(await build({ withKubeRouter: Boolean(kubeRouter), say }))),
    );
  cli
    .command('fault')
    .description('make or mend a real fault; `list` names them')
    .addOption(nameOption())
    .argument('<id>', 'a fault, or `list`')
    .addArgument(new Argument('[action]').choices(['inject', 'heal']))
    .action((id, action, { name }) => {
      if (id === 'list') return listFaults();
      if (!action) throw new Error(`${id}: inject or heal?`);
      return runFault(name, id, action);
    });
  return cli;
};

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    killRunningCommands();
    say('interrupted: npm run cluster -- down removes what there is');
    process.exit(130);
  });
}

commands()
  .parseAsync()
  .catch((error: Error) => {
    say(`cluster: ${error.message}`);
    process.exitCode = 1;
  });
