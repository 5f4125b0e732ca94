import { textProblem } from "../schema/text-format.ts";
import { parseLoosely, parseNetwork } from "./addresses.ts";

const matches =
  (pattern: RegExp) =>
  (text: string): boolean =>
    pattern.test(text);

/** As Go has it: an address of IPv4 within IPv6 is one of both. */
const isAddressWith =
  (separator: string) =>
  (text: string): boolean =>
    text.includes(separator) && parseLoosely(text) !== undefined;

/** The last digit of an ISBN is such that the weighted sum of all is a multiple. */
function isIsbn10(text: string): boolean {
  const digits = text.replace(/[\s-]/g, "");
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  return (
    digits.split("").reduce((sum, digit, at) => sum + (10 - at) * (digit === "X" ? 10 : Number(digit)), 0) % 11 === 0
  );
}

function isIsbn13(text: string): boolean {
  const digits = text.replace(/[\s-]/g, "");
  if (!/^\d{13}$/.test(digits)) return false;
  return digits.split("").reduce((sum, digit, at) => sum + (at % 2 === 0 ? 1 : 3) * Number(digit), 0) % 10 === 0;
}

function isCreditCard(text: string): boolean {
  const digits = text.replace(/\D/g, "");
  const known =
    /^(4\d{12}(\d{3})?|5[1-5]\d{14}|(222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|6(011|5\d\d)\d{12}|3[47]\d{13}|3(0[0-5]|[68]\d)\d{11}|(2131|1800|35\d{3})\d{11})$/;
  if (!known.test(digits)) return false;
  const sum = digits
    .split("")
    .toReversed()
    .reduce((total, digit, at) => {
      const worth = Number(digit) * (at % 2 === 0 ? 1 : 2);
      return total + (worth > 9 ? worth - 9 : worth);
    }, 0);
  return sum % 10 === 0;
}

/** As Go's `url.ParseRequestURI` has it: with a scheme, or a path from the root. */
function isUri(text: string): boolean {
  if (/[\s\p{Cc}]/u.test(text) || /%(?![0-9a-fA-F]{2})/.test(text)) return false;
  return /^\/|^[A-Za-z][A-Za-z0-9+.-]*:./.test(text);
}

const isHostname = (text: string): boolean =>
  text.length <= 255 &&
  text
    .replace(/\.$/, "")
    .split(".")
    .every((label) => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label));

const DURATION =
  /^([+-]?(\d+(\.\d*)?|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$|^[+-]?0$|^\s*\d+\s*(ns|nanos?|nanoseconds?|us|\u00b5s|micros?|microseconds?|ms|millis?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)\s*$/;

/** What texts of a custom object may be said to be, without hyphens; of others nothing is checked. */
const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  bsonobjectid: matches(/^[0-9a-f]{24}$/i),
  byte: (text) => textProblem("byte", text) === undefined,
  cidr: (text) => parseNetwork(text) !== undefined,
  creditcard: isCreditCard,
  date: (text) => textProblem("date-time", `${text}T00:00:00Z`) === undefined,
  datetime: (text) => textProblem("date-time", text) === undefined,
  duration: matches(DURATION),
  email: matches(/^([^<>]*<)?[^\s@<>]+@[^\s@<>]+>?$/),
  hexcolor: matches(/^#?([0-9a-f]{3}|[0-9a-f]{6})$/i),
  hostname: isHostname,
  ipv4: isAddressWith("."),
  ipv6: isAddressWith(":"),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  mac: matches(
    /^([0-9a-f]{2}([:-]))([0-9a-f]{2}\2){4}([0-9a-f]{2}|([0-9a-f]{2}\2){3}[0-9a-f]{2})$|^([0-9a-f]{4}\.){2}([0-9a-f]{4}\.)?[0-9a-f]{4}$/i,
  ),
  rgbcolor: matches(
    /^rgb\(\s*(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])(\s*,\s*(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){2}\s*\)$/,
  ),
  ssn: matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  uri: isUri,
  uuid: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i),
  uuid3: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i),
  uuid4: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i),
  uuid5: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i),
};

/** Whether a text is what a custom resource's schema says by `format`; of formats that nobody knows each is. */
export const hasFormat = (format: string, text: string): boolean => FORMATS[format.replaceAll("-", "")]?.(text) ?? true;
