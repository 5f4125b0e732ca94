/** A container's path in the API: `name` may hold anything a shell lets through. */
export function containerPath(name: string, rest = ""): string {
  return `/containers/${encodeURIComponent(name)}${rest}`;
}

/** An image's path in the API: slashes of its name stay. */
export function imagePath(name: string, rest = ""): string {
  return `/images/${name.split("/").map(encodeURIComponent).join("/")}${rest}`;
}
