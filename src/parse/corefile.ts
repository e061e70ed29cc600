/** CoreDNS's configuration (coredns.io/manual/configuration). Server blocks with their plug-ins, arguments as written. */
export interface Corefile {
  readonly servers: readonly {
    readonly zones: readonly string[];
    readonly plugins: readonly {
      readonly name: string;
      readonly args: readonly string[];
      readonly body: readonly (readonly string[])[];
    }[];
  }[];
}
