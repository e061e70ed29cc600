/** Variables that decide where a client connects to: HTTP_PROXY, https_proxy, NO_PROXY … Of an environment, only these are read. */
export function isProxyVariable(name: string): boolean {
  return /_proxy$/i.test(name);
}

/** A proxy's address without user and password, also where it is written without a scheme: `user:password@proxy:3128`. */
export function withoutUserinfo(value: string): string {
  return value.replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^/]*@/i, '$1');
}
