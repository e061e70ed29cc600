/** Connects to one destination, of which something is known. */
export interface Share {
  readonly sent: number;
  readonly failed: number;
}

export interface BackendShare extends Share {
  /** `10.244.1.4:8080`, `pod/shop/api-0 (10.244.1.4:8080)`. */
  readonly name: string;
}

export interface ShareFinding {
  /**
   * backend: what fails by itself explains what fails through the Service; way: it does not, the way through the Service fails;
   * none: nothing fails; unknown: the two cannot be held against each other.
   */
  readonly explains: 'backend' | 'way' | 'none' | 'unknown';
  /** The share that would fail through the Service if each backend got as many connections as any other; 0 to 1. */
  readonly expected: number;
  readonly statement: string;
}

/** Two-sided 99 %: one healthy run in a hundred may be told wrongly. */
const Z = 2.576;

/**
 * Holds the share of connections that fail through a Service against what its backends, each tried by itself, would make of it.
 * `unevenBecause`: why its connections are not spread over these backends evenly, where that is known.
 */
export function backendShare(
  service: Share,
  backends: readonly BackendShare[],
  unevenBecause?: string,
): ShareFinding | undefined {
  const told = backends.filter(({ sent }) => sent > 0);
  if (service.sent === 0 || told.length === 0) return undefined;
  const expected = told.reduce((sum, one) => sum + one.failed / one.sent, 0) / told.length;
  const finding = (explains: ShareFinding['explains'], statement: string): ShareFinding => ({
    explains,
    expected,
    statement,
  });
  const through = `${service.failed} of ${service.sent} (${percent(service.failed / service.sent)}) fail through the Service`;
  const bad = told.filter(({ failed }) => failed > 0);
  if (service.failed === 0 && bad.length === 0)
    return finding(
      'none',
      `nothing fails, neither through the Service nor at its ${plural(told.length)} tried one by one`,
    );
  if (bad.length === 0)
    return finding(
      'way',
      `${through}, while every backend that was tried by itself (${told.length}) always answers: what fails is the way through the Service, not a backend`,
    );
  const culprits = `${describeBad(bad, told.length)}, which would explain ${percent(expected)}`;
  const untried = backends.length - told.length;
  const because = unevenBecause ?? (untried > 0 ? `${plural(untried)} could not be tried` : undefined);
  if (because !== undefined)
    return finding(
      'unknown',
      `${through}; ${culprits} if each backend got as many, but ${because}: that cannot be compared`,
    );
  return compared(service, told, expected, { through, culprits, finding });
}

function compared(
  service: Share,
  told: readonly BackendShare[],
  expected: number,
  words: {
    readonly through: string;
    readonly culprits: string;
    readonly finding: (explains: ShareFinding['explains'], statement: string) => ShareFinding;
  },
): ShareFinding {
  const { through, culprits, finding } = words;
  const { low, high } = wilsonInterval(service);
  // How far off the expectation itself may be, since the backends were tried a limited number of times as well.
  const doubt = Z * standardError(told);
  if (expected + doubt >= low && expected - doubt <= high)
    return finding('backend', `${through}; ${culprits}: that explains it`);
  if (expected < low) return finding('way', `${through}; ${culprits}: more fails than that explains`);
  return finding(
    'unknown',
    `${through}; ${culprits}: the Service sends it less than its share, or what fails there is not on the way through the Service`,
  );
}

/**
 * Where the true share lies, of which so many of so many were seen (Wilson's score interval: E. B. Wilson, Probable Inference, the
 * Law of Succession, and Statistical Inference, 1927). It holds for few attempts and for none or all that fail.
 */
export function wilsonInterval({ sent, failed }: Share): { readonly low: number; readonly high: number } {
  const share = failed / sent;
  const z2 = Z ** 2;
  const middle = share + z2 / (2 * sent);
  const reach = Z * Math.sqrt((share * (1 - share)) / sent + z2 / (4 * sent ** 2));
  const scale = 1 + z2 / sent;
  return { low: (middle - reach) / scale, high: (middle + reach) / scale };
}

function standardError(backends: readonly Share[]): number {
  const variance = backends.reduce((sum, { sent, failed }) => {
    const share = failed / sent;
    return sum + (share * (1 - share)) / sent;
  }, 0);
  return Math.sqrt(variance) / backends.length;
}

function describeBad(bad: readonly BackendShare[], all: number): string {
  const always = bad.every(({ sent, failed }) => sent === failed);
  const names = bad.map(({ name, sent, failed }) => (always ? name : `${name}: ${failed} of ${sent}`)).join(', ');
  const verb = bad.length === 1 ? 'fails' : 'fail';
  return `${bad.length} of ${plural(all)} ${verb} ${always ? 'always' : 'by itself'} (${names})`;
}

function plural(count: number): string {
  return count === 1 ? '1 backend' : `${count} backends`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
