import { FlagError } from "../failure.ts";

/**
 * Fields of one line of comma-separated values; a field in double quotes may hold commas and doubled quotes.
 *
 * @throws FlagError for quotes that do not pair
 */
export function splitCsv(line: string): readonly string[] {
  if (line === "") throw new FlagError("EOF");
  const fields: string[] = [];
  for (let at = 0; at <= line.length; ) {
    if (line.charAt(at) !== '"') {
      const comma = line.indexOf(",", at);
      const end = comma < 0 ? line.length : comma;
      const field = line.slice(at, end);
      if (field.includes('"'))
        throw new FlagError(`parse error on line 1, column ${at + 1}: bare " in non-quoted-field`);
      fields.push(field);
      at = end + 1;
      continue;
    }
    const quoted = /"((?:[^"]|"")*)"(?=,|$)/y;
    quoted.lastIndex = at;
    const match = quoted.exec(line);
    if (match === null)
      throw new FlagError(`parse error on line 1, column ${at + 1}: extraneous or missing " in quoted-field`);
    fields.push((match[1] ?? "").replaceAll('""', '"'));
    at = quoted.lastIndex + 1;
  }
  return fields;
}

/** `KEY=VALUE` at the first equals sign; no value where there is none. */
export function cut(text: string, separator = "="): readonly [key: string, value: string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
