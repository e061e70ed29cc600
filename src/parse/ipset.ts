/** `ipset save` (ipset(8)). */
export interface Ipset {
  readonly name: string;
  readonly type: string; // hash:ip, hash:net,port …
  readonly family: 4 | 6;
  readonly options: readonly string[];
  readonly entries: readonly {
    readonly text: string;
    readonly fields: readonly string[];
    readonly nomatch: boolean;
    readonly timeout?: number;
  }[];
}
