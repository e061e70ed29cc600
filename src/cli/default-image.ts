import { podtriageVersion } from './version.ts';

/** The image of the node side that belongs to this version; `npm run image` makes it under the same name. */
export const DEFAULT_IMAGE = `localhost/podtriage:${podtriageVersion()}`;
