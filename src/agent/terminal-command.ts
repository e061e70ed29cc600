/**
 * The same command on a terminal of its own, by script(1): an exec's input carries frames, so its container gets none.
 * `size`: ROWSxCOLUMNS of the user's, as it is at the start.
 */
export function terminalCommand(argv: readonly string[], size: string): readonly string[] {
  const [rows, columns] = size.split('x').map(Number);
  const known = Number.isInteger(rows) && Number.isInteger(columns);
  const sized = known ? `stty rows ${rows} cols ${columns}; ` : '';
  return ['script', '--quiet', '--return', '--command', `${sized}exec ${argv.map(quoted).join(' ')}`, '/dev/null'];
}

/** A word for sh(1), whatever is in it. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
