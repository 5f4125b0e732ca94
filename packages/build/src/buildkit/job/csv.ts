import { InvalidArgument } from "@boxship/base";

/** The fields of one line of comma-separated values, quotes as in RFC 4180. @param name for errors */
export function parseCsv(text: string | undefined, name: string): readonly string[] {
  if (text === undefined || text === "") return [];
  const fields: string[] = [];
  let rest = text;
  for (;;) {
    const match = /^(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/.exec(rest);
    if (match === null) throw new InvalidArgument(`${name}: '${text}' has a quote in the wrong place`);
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    if (match[3] === "") return fields;
    rest = rest.slice(match[0].length);
  }
}
