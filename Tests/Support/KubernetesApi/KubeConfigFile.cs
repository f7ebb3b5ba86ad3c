using System.Text;

namespace Orleans.WireGuard.Tests.Support.KubernetesApi;

/// <summary>What <c>kubectl</c> needs to speak to a test server as its administrator.</summary>
internal static class KubeConfigFile
{
    /// <summary>Writes it, readable for its owner only. It appears whole: whoever waits for the file can use it at once.</summary>
    public static void Write(string file, TestApiServer server)
    {
        var part = file + ".part";
        using (var stream = new FileStream(part, new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
            stream.Write(Encoding.UTF8.GetBytes(Text(server)));
        }

        File.Move(part, file, overwrite: true);
    }

    private static string Text(TestApiServer server) =>
        $"""
        apiVersion: v1
        kind: Config
        current-context: test
        contexts:
        - name: test
          context:
            cluster: test
            user: test
        clusters:
        - name: test
          cluster:
            server: {server.Address}
            certificate-authority-data: {Convert.ToBase64String(Encoding.UTF8.GetBytes(server.AuthorityPem))}
        users:
        - name: test
          user:
            token: {server.AdminToken}

        """;
}
