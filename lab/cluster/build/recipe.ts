/** What a program is built from. Plain data: its JSON is part of the cache key, so a changed recipe is built anew. */
export interface Recipe {
  readonly id: string;
  readonly version: string;
  /** The module that has the code. */
  readonly module: string;
  /** The module's own `go` line: the oldest toolchain that builds it. */
  readonly goVersion: string;
  readonly godebug?: string;
  /** Kubernetes keeps its libraries in its own repository; published, each is a module whose version follows its own. */
  readonly publishedStaging?: boolean;
  /** A main package of ours in `go/<folder>/`, or the module's own main.go without the imports that match. */
  readonly main?: { readonly folder: string } | { readonly ownWithout: string };
  readonly programs: readonly Program[];
}

export interface Program {
  readonly name: string;
  /** Import path, or `.` for the recipe's main. */
  readonly package: string;
  /** Variables that the linker sets. */
  readonly variables?: Readonly<Record<string, string>>;
}

const KUBERNETES = 'v1.34.4';
const FLANNEL = 'v0.28.10';
const CNI_PLUGINS = 'v0.9.1';

const kubernetesVersion = Object.fromEntries(
  ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((path) => [
    [`${path}.gitVersion`, KUBERNETES],
    [`${path}.gitMajor`, '1'],
    [`${path}.gitMinor`, KUBERNETES.split('.')[1]!],
    [`${path}.gitTreeState`, 'clean'],
  ]),
);

/** In the order of building: the long one first, so that a failure late in it is not the last thing to be seen. */
export const RECIPES: readonly Recipe[] = [
  {
    id: 'kubernetes',
    version: KUBERNETES,
    module: 'k8s.io/kubernetes',
    goVersion: '1.24.0',
    godebug: 'default=go1.24',
    publishedStaging: true,
    main: { folder: 'kubernetes' },
    programs: [
      { name: 'kubernetes', package: '.', variables: kubernetesVersion },
      { name: 'kube-proxy', package: 'k8s.io/kubernetes/cmd/kube-proxy', variables: kubernetesVersion },
      { name: 'agnhost', package: 'k8s.io/kubernetes/test/images/agnhost' },
    ],
  },
  {
    id: 'flannel',
    version: FLANNEL,
    module: 'github.com/flannel-io/flannel',
    goVersion: '1.26.0',
    // Some of these back ends need modules that the proxy does not serve whole; the lab uses none of them.
    main: { ownWithout: 'backend/(alloc|extension|ipip|ipsec|tencentvpc|udp|wireguard)"' },
    programs: [
      {
        name: 'flanneld',
        package: '.',
        variables: { 'github.com/flannel-io/flannel/pkg/version.Version': FLANNEL },
      },
      { name: 'install-conf', package: 'github.com/flannel-io/flannel/cmd/install_conf' },
    ],
  },
  {
    // The proxy does not serve flannel's plug-in as its own module; this is the last release that holds it.
    id: 'cni-flannel',
    version: CNI_PLUGINS,
    module: 'github.com/containernetworking/plugins',
    goVersion: '1.14',
    programs: [
      {
        name: 'cni-flannel',
        package: 'github.com/containernetworking/plugins/plugins/meta/flannel',
        variables: { 'github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion': CNI_PLUGINS },
      },
    ],
  },
  {
    id: 'coredns',
    version: 'v1.14.7',
    module: 'github.com/coredns/coredns',
    goVersion: '1.25.0',
    main: { folder: 'coredns' },
    programs: [{ name: 'coredns', package: '.' }],
  },
  {
    id: 'pause',
    version: '1',
    module: '',
    goVersion: '1.21',
    main: { folder: 'pause' },
    programs: [{ name: 'pause', package: '.' }],
  },
];

/** Only for `--cni kube-router`. */
export const KUBE_ROUTER: Recipe = {
  id: 'kube-router',
  version: 'v2.1.0',
  module: 'github.com/cloudnativelabs/kube-router/v2',
  goVersion: '1.21',
  programs: [{ name: 'kube-router', package: 'github.com/cloudnativelabs/kube-router/v2/cmd/kube-router' }],
};

/** The lowest Go that can build anything here; a recipe that needs a newer one lets the go command fetch it. */
export const OLDEST_GO = '1.24.0';

export const versionOf = (id: string): string => {
  const recipe = [...RECIPES, KUBE_ROUTER].find((r) => r.id === id);
  if (!recipe) throw new Error(`no recipe ${id}`);
  return recipe.version;
};
