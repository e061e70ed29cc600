import { describe, expect, it } from 'vitest';
import { formatRight, missingForHelpers, resourceAttributes } from './kubernetes-access.ts';

const answer = (verb: string, resource: string, allowed: boolean) => ({
  verb,
  resource,
  namespace: 'podtriage',
  allowed,
});

describe('missingForHelpers', () => {
  it('is nothing where either Jobs or Pods may be made', () => {
    expect(missingForHelpers([answer('create', 'jobs.batch', false), answer('create', 'pods', true)])).toEqual([]);
    expect(missingForHelpers([answer('create', 'jobs.batch', true), answer('create', 'pods', false)])).toEqual([]);
  });

  it('names both where neither may', () => {
    const missing = missingForHelpers([answer('create', 'jobs.batch', false), answer('create', 'pods', false)]);
    expect(missing.map(formatRight)).toEqual([
      'create jobs.batch in namespace podtriage',
      'create pods in namespace podtriage',
    ]);
  });

  it('names exec only where neither of its verbs is allowed', () => {
    const both = [answer('create', 'pods/exec', false), answer('get', 'pods/exec', false)];
    expect(missingForHelpers(both)).toHaveLength(2);
    expect(missingForHelpers([both[0]!, answer('get', 'pods/exec', true)])).toEqual([]);
  });

  it('wants to see its pods one way or the other, in its own namespace', () => {
    const blind = [answer('list', 'pods', false), answer('watch', 'pods', false)];
    expect(missingForHelpers(blind)).toHaveLength(2);
    expect(missingForHelpers([blind[0]!, answer('watch', 'pods', true)])).toEqual([]);
    const elsewhere = { verb: 'list', resource: 'pods', allowed: false };
    expect(missingForHelpers([elsewhere, answer('watch', 'pods', false), answer('list', 'pods', true)])).toEqual([]);
  });

  it('concludes nothing from questions that were not answered', () => {
    expect(missingForHelpers([])).toEqual([]);
    expect(missingForHelpers([answer('create', 'jobs.batch', false)])).toEqual([]);
  });
});

describe('resourceAttributes', () => {
  it('splits group and subresource', () => {
    expect(resourceAttributes({ verb: 'list', resource: 'endpointslices.discovery.k8s.io' })).toEqual({
      verb: 'list',
      resource: 'endpointslices',
      group: 'discovery.k8s.io',
    });
    expect(resourceAttributes({ verb: 'create', resource: 'pods/exec', namespace: 'n' })).toEqual({
      verb: 'create',
      resource: 'pods',
      subresource: 'exec',
      namespace: 'n',
    });
  });
});
