import { alignTabs as align, type TabOptions } from "@boxship/base/align-tabs";
import { textWidth } from "./text-width.ts";

/** {@link align} with characters that take two columns counted as two. */
export function alignTabs(text: string, options: TabOptions = {}): string {
  return align(text, { widthOf: textWidth, ...options });
}
