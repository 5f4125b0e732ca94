/** A platform, `os[/arch[/variant]]`, as the engine's newer endpoints take it; undefined for an empty text. */
export function platformJson(platform: string): string | undefined {
  if (platform === "") return undefined;
  const [os = "", architecture, variant] = platform.split("/");
  return JSON.stringify({ os, ...(architecture && { architecture }), ...(variant && { variant }) });
}
