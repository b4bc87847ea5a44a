/** The value of a JSON text; undefined for no text, and for one that is not JSON: what somebody wrote over says nothing. */
export function parsedJSON(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
