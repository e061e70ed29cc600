import { excerpt, isObject, type JsonObject, parseJsonItems } from '../parse/json-items.ts';
import type { Parsed, UnparsedLine } from '../parse/parsed.ts';

/**
 * The objects of an answer of the Kubernetes API: a List (`{"kind":"PodList","items":[…]}`), its pages one after the
 * other, or one object by itself. A cut page keeps its whole items. A list whose last page has a `continue` token was
 * not read to its end.
 */
export function parseListItems(text: string): Parsed<readonly JsonObject[]> {
  const pages = parseJsonItems(text);
  const value: JsonObject[] = [];
  const unparsed: UnparsedLine[] = [];
  for (const page of pages.value) {
    if (!Array.isArray(page.items)) {
      if (isObject(page.metadata) && page.kind !== 'Status') value.push(page);
      else if (!/List$/.test(String(page.kind))) unparsed.push({ line: 0, text: excerpt(page) });
      continue;
    }
    for (const item of page.items) {
      if (isObject(item)) value.push(item);
      else unparsed.push({ line: 0, text: excerpt(item) });
    }
  }
  if (pages.unparsed.length > 0) {
    value.push(...itemsOfCutPage(text));
    unparsed.push(...pages.unparsed);
  } else if (hasMore(pages.value.at(-1))) {
    unparsed.push({ line: 0, text: '(the list goes on: it was not read to its end)' });
  }
  if (pages.value.length === 0 && pages.unparsed.length === 0) unparsed.push({ line: 0, text: '(empty reply)' });
  return { value, unparsed };
}

/** Only the last page can be cut; its items begin after its first `"items":[`. */
function itemsOfCutPage(text: string): readonly JsonObject[] {
  const page = text.slice(text.lastIndexOf('\n{') + 1);
  const start = /"items"\s*:\s*\[/.exec(page);
  return start ? parseJsonItems(page.slice(start.index + start[0].length - 1)).value : [];
}

function hasMore(page: JsonObject | undefined): boolean {
  return isObject(page?.metadata) && typeof page.metadata.continue === 'string' && page.metadata.continue !== '';
}
