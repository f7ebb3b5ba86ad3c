using Orleans.WireGuard.Silo.Cli;

return await OwgCommand.RunAsync(args);
