import type { Address } from '../net/address.ts';
import { type Place, placeKey } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Question } from './bridge-proxy.ts';
import type { Cursor, Walk } from './cursor.ts';

/*
 * Who is asked learns the asker's MAC from the question (neigh_event_ns; ndisc_recv_ns), and needs not ask for it to
 * answer. The walk keeps that among the places it has visited, so that the way back knows it.
 */

const PREFIX = 'heard ';

function keyOf(cursor: Cursor, device: string, address: Address): string {
  return `${PREFIX}${placeKey(cursor.place)} ${device} ${address} `;
}

/** By which device a namespace got a question; absent where that is not known. */
export interface Hearer {
  readonly place: Place;
  readonly device?: string;
}

/** The question that was just asked has taught who would answer it where the asker is, even if the answer is lost. */
export function withHeard(cursor: Cursor, link: Link, question: Question, { place, device }: Hearer): Cursor {
  if (device === undefined || link.mac === undefined || question.asker === undefined) return cursor;
  const fact = `${keyOf({ ...cursor, place }, device, question.asker)}${link.mac}`;
  return { ...cursor, visited: [...cursor.visited, fact] };
}

/** The MAC of an address that has asked this namespace, by the packet in hand or by the one that it answers. */
export function heardMac(walk: Walk, cursor: Cursor, link: Link, address: Address): string | undefined {
  const start = keyOf(cursor, link.name, address);
  const isIt = (one: string): boolean => one.startsWith(start);
  const fact = cursor.visited.findLast(isIt) ?? walk.learnt?.findLast(isIt);
  return fact?.slice(start.length);
}
