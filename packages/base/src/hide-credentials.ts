/** User and password of an address: everything up to the last `@` before its path. */
const USER_INFO = /\b([a-z][a-z0-9+.-]*:\/\/)([^\s/?#"'<>]*)@/gi;

/**
 * A text with the credentials of every address in it hidden: `https://xxxxx:xxxxx@host/`. For what is shown, logged or
 * kept. The user name of an ssh or git address that has no password is no secret, and stays.
 */
export function hideCredentials(text: string): string {
  return text.replace(USER_INFO, (whole, scheme: string, user: string) => {
    if (user.includes(":")) return `${scheme}xxxxx:xxxxx@`;
    return user === "" || /^(?:ssh|git(?:\+ssh)?):/i.test(scheme) ? whole : `${scheme}xxxxx@`;
  });
}
