// Runs before the first paint, so that a dark page does not flash white.
{
  let chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {
    // without storage, the system's theme applies
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
