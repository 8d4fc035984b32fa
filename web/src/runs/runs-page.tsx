export default function RunsPage(_: { settings: URLSearchParams }) {
  return <h1>Runs</h1>;
}
