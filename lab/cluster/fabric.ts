import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { output } from '../command.ts';
import { hostFolder, startDaemon } from './host.ts';
import { addressOf, CONTROL_PLANE, FABRIC, type Layout, namespaceOf, OUTSIDE } from './layout.ts';

/** The far end of a host's cable, in the fabric. */
export const portOf = (host: string): string => `to-${host}`;

export const UNDERLAY_MTU = 1500;

const netns = (layout: Layout, host: string): string => namespaceOf(layout.name, host);

const ip = async (layout: Layout, host: string, words: string): Promise<void> => {
  await output(['ip', '-n', netns(layout, host), ...words.split(' ')]);
};

const makeSwitch = async (layout: Layout): Promise<void> => {
  await output(['ip', 'netns', 'add', netns(layout, FABRIC)]);
  await ip(layout, FABRIC, 'link set lo up');
  await ip(layout, FABRIC, 'link add br0 type bridge');
  await ip(layout, FABRIC, `addr add ${addressOf(layout.net, FABRIC)}/24 dev br0`);
  await ip(layout, FABRIC, 'link set br0 up');
};

const plugInPort = (layout: Layout, host: string): Promise<void> =>
  ip(layout, FABRIC, `link set ${portOf(host)} mtu ${UNDERLAY_MTU} master br0 up`);

const makeHost = async (layout: Layout, host: string): Promise<void> => {
  const far = ['type', 'veth', 'peer', 'name', portOf(host), 'netns', netns(layout, FABRIC)];
  await output(['ip', 'netns', 'add', netns(layout, host)]);
  await output(['ip', '-n', netns(layout, host), 'link', 'add', 'eth0', 'mtu', String(UNDERLAY_MTU), ...far]);
  await plugInPort(layout, host);
  await ip(layout, host, `addr add ${addressOf(layout.net, host)}/24 dev eth0`);
  await ip(layout, host, 'link set eth0 up');
  await ip(layout, host, `route add default via ${addressOf(layout.net, FABRIC)}`);
};

/** The cable to the namespace of the shell, by which kubectl and podtriage reach the cluster. */
const plugInShell = async (layout: Layout): Promise<void> => {
  const near = ['ip', 'link', 'add', layout.shellDevice, 'mtu', String(UNDERLAY_MTU)];
  await output([...near, 'type', 'veth', 'peer', 'name', portOf('shell'), 'netns', netns(layout, FABRIC)]);
  await plugInPort(layout, 'shell');
  await output(['ip', 'addr', 'add', `${layout.shellAddress}/24`, 'dev', layout.shellDevice]);
  await output(['ip', 'link', 'set', layout.shellDevice, 'up']);
};

/** Fails where the node network is already used on this machine, by another bed or for real. */
const checkFree = async (layout: Layout): Promise<void> => {
  const routes = JSON.parse(await output(['ip', '-j', '-4', 'route', 'show', 'root', `${layout.net}.0/24`]));
  if (routes.length > 0) {
    throw new Error(`${layout.net}.0/24 is in use on this machine (${routes[0].dev}): choose another with --net`);
  }
};

/** The node network: a bridge in a namespace of its own, and a namespace with one cable to it for every host. */
export const makeFabric = async (layout: Layout): Promise<void> => {
  await checkFree(layout);
  await makeSwitch(layout);
  await Promise.all(layout.hosts.filter((host) => host !== FABRIC).map((host) => makeHost(layout, host)));
  await plugInShell(layout);
};

/** The names that the upstream DNS knows; every other name does not exist. */
export const upstreamNames = (net: string): Readonly<Record<string, string>> => ({
  'gw.corp.test': addressOf(net, FABRIC),
  'api.corp.test': addressOf(net, CONTROL_PLANE),
  'outside.corp.test': addressOf(net, OUTSIDE),
});

/** A name whose answer is larger than 512 bytes, and than the 1,232 that dig and newer resolvers take with EDNS: it comes over TCP. */
export const LARGE_NAME = 'cdn.corp.test';

/** A chain of long aliases to that address, each a template of its own: CoreDNS looks an alias up by itself and adds what it finds. */
const largeAnswer = (address: string): string => {
  const aliases = [...'abcdefghij'].map((letter) => `${`${letter.repeat(60)}.`.repeat(3)}${LARGE_NAME}.`);
  const names = [`${LARGE_NAME}.`, ...aliases];
  const records = names.map((name, at) => [name, aliases[at] === undefined ? `A ${address}` : `CNAME ${aliases[at]}`]);
  return records
    .map(
      ([name, record]) => `    template IN A ${LARGE_NAME} {
        match ^${name!.replaceAll('.', '[.]')}$
        answer "${name} 60 IN ${record}"
        fallthrough
    }`,
    )
    .join('\n');
};

/** The company's DNS, as it were: what the hosts' resolv.conf names and CoreDNS forwards to. */
export const startUpstreamDns = async (layout: Layout, coredns: string): Promise<void> => {
  const names = Object.entries(upstreamNames(layout.net)).map(([name, address]) => `        ${address} ${name}`);
  const address = addressOf(layout.net, FABRIC);
  const corefile = `${LARGE_NAME}:53 {
    bind ${address}
${largeAnswer(addressOf(layout.net, OUTSIDE))}
    template ANY ANY . {
        rcode NOERROR
    }
}
corp.test:53 {
    bind ${address}
    hosts {
${names.join('\n')}
    }
}
.:53 {
    bind ${address}
    template ANY ANY . {
        rcode NXDOMAIN
    }
}
`;
  const path = join(hostFolder(layout, FABRIC), 'Corefile');
  await writeFile(path, corefile);
  await startDaemon(layout, FABRIC, { name: 'dns', argv: [coredns, '-conf', path] });
};
