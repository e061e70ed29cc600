import type { Address } from '../net/address.ts';
import type { DnsAnswer } from '../snapshot/probe-answers.ts';
import type { DnsQuestion } from './dns-message.ts';

/** What a resolver does with the world; an imitation of one is tested without it. */
export interface ResolverIo {
  /** Milliseconds of a clock that only goes on. */
  nowMs(): number;
  /** 0 to 65,535, not to be foreseen: the id of a question. */
  randomId(): number;
  /** A socket for these servers; of one server it is connected, so that a refusal is told. */
  openUdp(servers: readonly Address[]): Promise<UdpChannel>;
  /** One question over a connection of its own; undefined where no answer came in time. */
  askTcp(server: Address, question: AskedOnce, timeoutMs: number): Promise<DnsAnswer | undefined>;
}

export type AskedOnce = Omit<DnsQuestion, 'id'>;

export interface UdpChannel {
  send(server: Address, question: DnsQuestion): void;
  /** The next that comes, within this time: an answer to a question that was sent, or an error of the socket. */
  next(timeoutMs: number): Promise<Received | undefined>;
  close(): void;
}

export type Received =
  | { readonly server: Address; readonly id: number; readonly answer: DnsAnswer }
  | { readonly errno: string };
