/** /etc/cni/net.d: the files in name order, as the runtime reads them (containernetworking SPEC, libcni ConfFiles). */
export interface CniConfiguration {
  readonly directory: string;
  readonly files: readonly CniFile[];
}

export interface CniFile {
  readonly name: string;
  /** undefined: not JSON, or not a CNI configuration; see `problem`. */
  readonly network?: {
    readonly name: string;
    readonly cniVersion?: string;
    readonly plugins: readonly { readonly type: string; readonly raw: Readonly<Record<string, unknown>> }[];
  };
  readonly problem?: string;
}

/** Allocations of host-local IPAM: /var/lib/cni/networks/NAME/ADDRESS, and the plug-ins present in /opt/cni/bin. */
export interface CniFiles {
  readonly binaries: readonly string[];
  readonly allocations: readonly { readonly network: string; readonly address: string; readonly container: string }[];
}
