/** The release that this code belongs to. */
export const VERSION = "0.1.0";
